# SPDX-License-Identifier: MIT OR Apache-2.0
# No kernel object may define a symbol that the linker merges with others of its name (weak,
# unique): that copy, with the kernel's instructions in it, could be given to code that any CPU
# runs.
# cmake -DNM=<nm> -DOBJECTS=<a.o,b.o,…> -P check_kernel_symbols.cmake
string(REPLACE "," ";" objects "${OBJECTS}")
list(LENGTH objects count)
if(count EQUAL 0)
  message(FATAL_ERROR "no kernel objects given")
endif()
set(bad "")
foreach(object IN LISTS objects)
  execute_process(COMMAND ${NM} --defined-only -C ${object} OUTPUT_VARIABLE symbols
    RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${NM} cannot read ${object}")
  endif()
  string(REGEX MATCHALL "[0-9a-f]+ [WwVvu] [^\n]*" weak "${symbols}")
  foreach(symbol IN LISTS weak)
    string(APPEND bad "\n  ${object}: ${symbol}")
  endforeach()
endforeach()
if(bad)
  message(FATAL_ERROR "kernel objects define weak symbols:${bad}")
endif()
message(STATUS "${count} kernel objects, no weak symbol")
