#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Chat templates against the package jinja2 (3.1), set up as the package transformers does.

Usage: chat_oracle.py --write FILE    the cases of the unit test with their expected texts
       chat_oracle.py DRIVER [--random N]    the same cases and N random templates through chat_driver
Templates are our own, in the style of published models.
"""
import argparse
import json
import random
import subprocess
import sys
import warnings

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

MESSAGES = [
    [],
    [{"role": "user", "content": "Hi"}],
    [{"role": "system", "content": " Be brief.\n"}, {"role": "user", "content": "  What is 1+1? \n"}],
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b\n\nc"},
     {"role": "user", "content": "d {{ x }} {% y %} 'q' \"r\" \\n"}],
    [{"role": "system", "content": "S"}, {"role": "user", "content": "\u4f60\u597d \U0001f600"},
     {"role": "assistant", "content": "<think>hm</think>\nJa\u00a0"}, {"role": "user", "content": ""},
     {"role": "assistant", "content": "\u2003end\x1c"}],
]

MODELS = {
    "bitnet": "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}{% if message['role'] == 'user' %}{{ 'User: ' + message['content'] + '<|eot_id|>' }}{% elif message['role'] == 'system' %}{{ 'System: ' + message['content'] + '<|eot_id|>' }}{% elif message['role'] == 'assistant' %}{{ 'Assistant: ' + message['content'] + '<|eot_id|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}",
    "bitnet_short": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}",
    "llama3": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    "llama31": """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- The system message #}
{%- if messages and messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {{- raise_exception("no tools") }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "chatml": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "chatml_lines": """{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}
{% for message in messages %}
{% if loop.first and messages[0]['role'] != 'system' %}
<|im_start|>system
You are helpful.<|im_end|>
{% endif %}
  {{- '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>' }}
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
""",
    "falcon3": """{%- if tools %}{{- raise_exception('no tools') }}{%- else %}{% for message in messages %}{% if message['role'] == 'system' %}{{ '<|system|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'user' %}{{ '<|user|>\n' + message['content'] + '\n' }}{% elif message['role'] == 'assistant' %}{% if not loop.last %}{{ '<|assistant|>\n'  + message['content'] + eos_token + '\n' }}{% else %}{{ '<|assistant|>\n'  + message['content'] + eos_token }}{% endif %}{% endif %}{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}{% endfor %}{%- endif %}""",
    "mistral": "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
    "gemma": "{{ bos_token }}{% if messages and messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}",
    "thinking": """{%- set ns = namespace(found=false, last=-1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if not ns.found and message.role == "user" %}
        {%- set ns.found = true %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == "assistant" and '</think>' in content %}
        {%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- if loop.index0 > ns.last %}{{- '[' ~ thought ~ ']' }}{%- endif %}
    {%- endif %}
    {%- if content is string %}{{- message.role + ':' + content + '\\n' }}{%- endif %}
{%- endfor %}
{{- ns.last }}""",
    "macros": """{% macro header(role, mark='#') -%}
{{ mark }}{{ role|upper }}{{ mark -}}
{% endmacro %}
{% for m in messages %}
{{ header(m.role) }} {{ header(m['role'], mark='*') }}
{% generation %}
{{ m.content }}
{% endgeneration %}
{% else %}
none
{% endfor %}""",
}

# Single rules; the name is the template.
RULES = [
    "  {% if true %}\n a \n  {% endif %}\n b", "{# c #}\n x {#- y -#}\n z", "a {{- 1 -}} b", "a\n  {%- if 1 %} b {% endif -%} c",
    "  {%+ if true %}x{% endif +%}\ny", "x\r\ny\rz\n", "a\n\n", "{{ 'a' 'b' }}", "{{ \"q\\\"\\n\\t\\\\\\x41\\u00e9\\q\" }}",
    "{{ 1 + 2 * 3 - 4 / 2 }}", "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}",
    "{{ 0.1 + 0.2 }} {{ 10.0 }} {{ 1.5 * 2 }}", "{{ 10000000000000000.0 * 10 }} {{ 0.00001 * 1.0 }}",
    "{{ 'a' * 3 }}{{ [1] * 2 }}{{ 2 * 'b' }}", "{{ [1,'a',none,true,1.5,['x']] }} {{ {'a': 1, 'b': \"it's\"} }} {{ (1,) }} {{ () }} {{ (1,'b') }}",
    "{{ 'it\\'s' ~ [\"it's\\n\\x00\"] }}", "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 1 == 1.0 }} {{ true == 1 }} {{ '1' == 1 }}",
    "{{ not true and false }} {{ 1 or 2 }} {{ '' or 'x' }} {{ 0 and 1 }}", "{{ 'a' in 'abc' }} {{ 1 in [1] }} {{ 'k' in {'k': 1} }} {{ 1 not in [2] }} {{ 'x' in nothing }}",
    "{{ 1 if false }}|{{ 1 if true else 2 }}|{{ 1 if false else 2 if false else 3 }}", "{{ nothing }}|{{ nothing == none }}|{{ nothing is defined }}|{{ nothing is none }}",
    "{{ nothing.x }}", "{{ nothing + 'a' }}", "{{ 'a' + 1 }}", "{{ nothing ~ 'a' ~ 1 ~ none ~ true }}", "{{ 1 / 0 }}", "{{ messages.x }}|{{ 'a'.x }}",
    "{{ 'abc'[1] }}{{ 'abc'[-1] }}{{ 'abc'[9] }}{{ 'a\u00e9\U0001f600'[1:] }}", "{{ 'abcdef'[1:4] }} {{ 'abcdef'[::-1] }} {{ 'abcdef'[4:1:-2] }} {{ 'abcdef'[-2:] }} {{ [1,2,3][:-1] }} {{ [1,2,3][5:] }}",
    "{{ [1,2,3][::0] }}", "{{ '  x '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ '  x '.lstrip() }}|{{ '  x '.rstrip() }}|{{ '\\x1cx\\x85'.strip() }}",
    "{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c'.split(' ', 1) }} {{ ' a b  c '.split(none, 1) }} {{ ''.split() }} {{ ''.split(',') }}", "{{ 'a'.split('') }}",
    "{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith(('x', 'c')) }} {{ 'abc'.startswith('') }}", "{{ 'aXa'.replace('a', 'b') }} {{ 'aaa'.replace('a', 'b', 2) }} {{ 'ab'.replace('', '-') }} {{ 'ab'|replace('b', 1) }}",
    "{{ 'hello World'.title() }} {{ 'hELLO'.capitalize() }} {{ 'hI'|upper }} {{ 'hI'|lower }} {{ 'a1b-c d'.title() }}", "{{ 'x'.join(['a','b']) }} {{ 'abcb'.find('b') }} {{ 'a'.find('z') }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{{ {'a': 1}.get('a') }}{{ {'a': 1}.get('b') }}{{ {}.get('b', 3) }}", "{{ {'a': 1}.keys()|list }} {{ {'a': 1}.values()|list }} {{ {'a': 1}|items|list }}",
    "{{ {'a': 1, 'a': 2} }}", "{{ {'a': {'b': [1]}}.a.b[0] }}", "{{ [3,1]|first }}{{ [3,1]|last }}{{ []|first }}|{{ 'ab'|first }}", "{{ [1,2]|length }}{{ 'a\u00e9'|length }}{{ {}|count }}{{ nothing|length }}",
    "{{ nothing|default('d') }}{{ ''|default('d') }}{{ ''|default('d', true) }}{{ none|d('e', boolean=true) }}", "{{ [1,'b',none]|join('-') }} {{ messages|join(',', attribute='role') }} {{ 'abc'|join('.') }}",
    "{{ {'a': [1, 2.5, none, true, 'x\\n\u00e9\\x01']}|tojson }}", "{{ {'a': [1, {}], 'b': []}|tojson(indent=2) }}", "{{ messages|tojson(indent=4) }}", "{{ messages }}",
    "{{ '12'|int + 1 }}{{ 'x'|int }}{{ 'x'|int(7) }}{{ 3.9|int }}{{ ' 5 '|int }}", "{{ 1|string + 'a' }}{{ none|string }}", "{{ [1,2,3]|reverse|list }}{{ 'abc'|reverse }}", "{{ 'a\\nb\\n\\nc'|indent }}|{{ 'a\\nb'|indent(2, true) }}|{{ 'a\\n\\nb'|indent('--', blank=true) }}",
    "{{ messages|selectattr('role', 'equalto', 'user')|list|length }} {{ messages|rejectattr('role', 'eq', 'user')|map(attribute='role')|list }}", "{{ [0,1,2,3]|select('odd')|list }} {{ [0,1,'']|select|list }} {{ [1,2]|reject('eq', 1)|list }} {{ ['a','b']|map('upper')|join }}",
    "{{ 1 is number }}{{ 'a' is string }}{{ {} is mapping }}{{ [] is iterable }}{{ 1 is iterable }}{{ none is none }}{{ 1.0 is float }}{{ 1 is integer }}{{ true is integer }}{{ true is boolean }}{{ true is true }}{{ 0 is false }}{{ [] is sequence }}{{ {} is sequence }}",
    "{{ 4 is divisibleby 2 }}{{ 4 is divisibleby(3) }}{{ 3 is odd }}{{ 3 is even }}{{ 3 is eq 3 }}{{ 3 is in [3] }}{{ 3 is not in [3] }}{{ 2 is lt 3 }}{{ 2 is not ge 3 }}",
    "{{ 1 is defined is true }}", "{% set x = 1 %}{% for i in [1,2] %}{{ x }}{% set x = i + 5 %}{{ x }};{% endfor %}{{ x }}", "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = [1] %}", "{% set t %}  <{{ 1 }}>\n{% endset %}[{{ t }}]", "{% set ns = namespace(a=1) %}{% for i in [1,2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}", "{% set n.a = 1 %}",
    "{% for i in range(5) if i is odd %}{{ loop.index }}/{{ loop.length }}:{{ i }}{{ ',' if not loop.last }}{% endfor %}", "{% for i in [] %}x{% else %}empty{% endfor %}", "{% for i in range(1, 10, 3) %}{{ i }}{% endfor %}{{ range(3)|list }}",
    "{% for i in [1,2,3] %}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.previtem }}|{{ loop.nextitem }}{{ loop.depth }};{% for j in 'ab' %}{{ loop.depth }}{{ loop.cycle('x','y') }}{% endfor %}{% endfor %}", "{% for a, b in [[1,2],[3,4]] %}{{ a }}{{ b }}{% endfor %}", "{% for x in 5 %}{% endfor %}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% break %}", "{% for c in 'a\u00e9' %}{{ c }},{% endfor %}", "{% for k in {'a':1} %}{{ k }}{% endfor %}",
    "{% macro m(a, b=2) %}{{ a }}{{ b }}{{ x }}{% endmacro %}{{ m(1) }}{{ m(1, b=3) }}{{ m() }}{% set x = 9 %}{{ m(4) }}", "{% macro m() %}{% endmacro %}{{ m(1) }}", "{% macro m() %}{% endmacro %}{{ m(z=1) }}", "{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{{ raise_exception('no') }}", "{{ nothing() }}", "{{ strftime_now('%d') }}", "{{ 'a'() }}", "{{ {'a': 1}['a'] }}{{ {'a': 1}.b }}|", "{{ -1 }}{{ +1 }}{{ - 1 + 2 }}{{ -'a' }}", "{{ 3 - -2 }}{{ not not 1 }}",
    "{{ '%}' }}{{ '}}' }}{{ {'a': {}} }}", "{{ [1, 2, ] }}{{ {'a': 1, } }}", "{{", "{% if %}", "{% if 1 %}", "{% endif %}", "{{ 1 2 }}", "{{ 'a }}", "{{ (1 }}", "{% for x on y %}{% endfor %}", "{{ a b }}", "{% if 1 %}{% else %}{% elif 2 %}{% endif %}", "{# no end", "{{ 1 ; 2 }}", "{{ [1 }}",
    "{{ 'a' | trim('a') }}|{{ 12|trim }}", "{{ true + true }}{{ true and 'x' }}", "{{ tools }}{{ documents is none }}{{ add_generation_prompt }}", "{{ messages|length > 1 and messages[0].role == 'system' }}", "{{ ('a', 'b')|list }}{{ (1 + 2) * 3 }}", "{{ x.y is defined }}", "{{ {}.x is defined }}{{ {}.x is undefined }}", "{{ 'a' ~ 'b' | upper }}{{ ('a' ~ 'b') | upper }}{{ 'a' + 'b' | upper }}", "{{ 1 if x is defined else 2 }}", "{{ '{{' }} {% if '%}' %}y{% endif %}", "{", "a { b % c #}", "\n", "", "{{ bos_token }}\n{{ eos_token }}\n",
]


def environment():
    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)

    class Generation(jinja2.ext.Extension):
        tags = {"generation"}

        def parse(self, parser):
            line = next(parser.stream).lineno
            body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
            return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

        @jinja2.pass_eval_context
        def _body(self, context, caller):
            return caller()

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


def expected(env, case):
    try:
        return env.from_string(case["template"]).render(
            messages=MESSAGES[case["messages"]], bos_token="<|bos|>", eos_token="<|eos|>", tools=None,
            documents=None, add_generation_prompt=case["add_generation_prompt"])
    except Exception:
        return None


def fixed_cases():
    for name, template in MODELS.items():
        for i in range(len(MESSAGES)):
            for prompt in (False, True):
                yield {"name": f"{name} {i} {prompt}", "template": template, "messages": i,
                       "add_generation_prompt": prompt}
    for rule in RULES:
        yield {"name": rule, "template": rule, "messages": 3, "add_generation_prompt": True}


def random_cases(count, seed=1):
    """Templates out of a grammar: white space control, blocks, expressions."""
    rng = random.Random(seed)
    atoms = ["1", "2", "0", "'a'", "' b '", "'C d'", "''", "none", "true", "x", "y", "m.role", "m['content']", "messages",
             "messages[0]", "[1, 2]", "loop.index", "loop.last", "bos_token", "{'k': 'v'}", "nothing", "1.5"]
    filters = ["trim", "upper", "length", "first", "last", "string", "list", "default('z')", "int", "tojson", "join('+')", "capitalize",
               "replace('a', 'bb')", "reverse|list"]
    tests = ["defined", "none", "string", "mapping", "number", "odd", "iterable", "not defined", "eq 1", "in [1, 'a']", "boolean"]
    methods = [".strip()", ".split()", ".upper()", ".startswith('a')", "[1:]", "[0]", "[-1]", ".k", "[:1]", ".items()|list", ".get('k')"]

    def expr(depth):
        kind = rng.randrange(9) if depth else 0
        if kind < 2:
            return rng.choice(atoms)
        a = expr(depth - 1)
        if kind == 2:
            return f"{a} {rng.choice(['+', '~', '-', '*', '//', '%', '/'])} {expr(depth - 1)}"
        if kind == 3:
            return f"{a} {rng.choice(['==', '!=', '<', 'in', 'not in', 'and', 'or', '>='])} {expr(depth - 1)}"
        if kind == 4:
            return f"({a}) | {rng.choice(filters)}"
        if kind == 5:
            return f"({a}) is {rng.choice(tests)}"
        if kind == 6:  # not on constants: jinja2 folds what would be a TypeError to undefined
            a = rng.choice(["m", "m.role", "m.content", "messages", "bos_token", "messages[0]", "x"])
            return f"({a}){rng.choice(methods)}"
        if kind == 7:
            return f"({a} if {expr(depth - 1)} else {expr(depth - 1)})"
        return f"(not {a})"

    def space():
        return rng.choice(["", "", " ", "\n", "  \n", "\n  ", "t", "\n\n", " t\n", "\t"])

    def tag(inside):
        return "{%" + rng.choice(["", "", "-", "+"]) + f" {inside} " + rng.choice(["", "", "-", "+"]) + "%}"

    def body(depth):
        out = space()
        for _ in range(rng.randrange(1, 4)):
            kind = rng.randrange(7) if depth else rng.randrange(3)
            if kind < 2:
                out += "{{" + rng.choice(["", "-"]) + f" {expr(rng.randrange(3))} " + rng.choice(["", "-"]) + "}}"
            elif kind == 2:
                out += rng.choice([tag(f"set {rng.choice('xy')} = {expr(1)}"), "{#" + rng.choice(["", "-"]) + " c " + rng.choice(["", "-"]) + "#}"])
            elif kind < 5:
                out += tag("if " + expr(1)) + body(depth - 1)
                if rng.random() < 0.5:
                    out += tag("else") + body(depth - 1)
                out += tag("endif")
            else:
                over = rng.choice(["messages", "[1, 2]", "'ab'", "range(2)", "messages[1:]"])
                out += tag(f"for m in {over}") + body(depth - 1) + tag("endfor")
            out += space()
        return out

    for i in range(count):
        yield {"name": f"random {i}", "template": body(2), "messages": rng.randrange(len(MESSAGES)),
               "add_generation_prompt": True}


def main():
    warnings.simplefilter("ignore", SyntaxWarning)
    parser = argparse.ArgumentParser()
    parser.add_argument("driver", nargs="?")
    parser.add_argument("--write")
    parser.add_argument("--random", type=int, default=0)
    args = parser.parse_args()
    env = environment()
    cases = [*fixed_cases(), *random_cases(args.random)]
    for case in cases:
        case["expected"] = expected(env, case)
    templates = list(dict.fromkeys(case["template"] for case in cases))
    index = {template: i for i, template in enumerate(templates)}
    document = json.dumps({"messages": MESSAGES, "templates": templates,
                           "cases": [{**c, "template": index[c["template"]]} for c in cases]},
                          indent=0)
    if args.write:
        with open(args.write, "w", encoding="ascii") as out:
            out.write(document + "\n")
        return
    done = subprocess.run([args.driver], input=document.encode(), capture_output=True)
    if done.returncode:
        sys.exit(done.stderr.decode())
    errors = iter(done.stderr.decode().splitlines())
    lines = done.stdout.decode().splitlines()
    assert len(lines) == len(cases)
    wrong = unsupported = 0
    for case, line in zip(cases, lines):
        got = json.loads(line)
        reason = next(errors) if got is None else ""
        if "not supported" in reason and case["name"].startswith("random"):
            unsupported += 1  # said so: str % x, case mapping beyond ASCII
        elif got != case["expected"]:
            wrong += 1
            if wrong <= 20:
                print(f"{case['template']!r}\n  jinja2 {case['expected']!r}\n  bitnet {got!r} {reason}")
    failed = sum(case["expected"] is None for case in cases)
    print(f"{len(cases)} templates, {failed} refused by jinja2, {unsupported} unsupported, "
          f"{wrong} different")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
