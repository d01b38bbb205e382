// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/runtime/tuning.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"
#include "bitnet/runtime/measure_tuning.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

// 20 and 30 GB/s, so 80 and 120 G weights a second at 2 bits, 100 and 150 at 1.6.
Tuning example() {
  return {{"Some CPU 3000", "avx2", 4, {32768, 1 << 20, 0}},
          {{1, 20'000, {200'000, 70'000, 300'000}, {180'000, 90'000, 280'000}},
           {2, 30'000, {400'000, 110'000, 600'000}, {360'000, 140'000, 550'000}}}};
}

std::string kind_of(const std::string& text) {
  try {
    parse_tuning(text, "t");
    return "";
  } catch (const FileError& e) {
    return e.fault().kind;
  }
}

TEST(TuningChoice, TheSlowerOfTwoTermsCounts) {
  Tuning t = example();
  EXPECT_DOUBLE_EQ(roofline(t.rows[0], WeightLayout::two_bits), 80'000);
  EXPECT_DOUBLE_EQ(roofline(t.rows[0], WeightLayout::tiles), 100'000);
  EXPECT_EQ(choose(t).layout, WeightLayout::tiles);
  // Looking up slower than memory gives 2-bit weights.
  for (ThreadRates& row : t.rows) row.tiles = {50'000, 48'000, 280'000};
  EXPECT_DOUBLE_EQ(roofline(t.rows[0], WeightLayout::tiles), 50'000);
  EXPECT_EQ(choose(t).layout, WeightLayout::two_bits);
  EXPECT_FALSE(choose(t).against_roofline);
}

TEST(TuningChoice, AMeasurementThatSaysOtherwiseDecides) {
  Tuning t = example();
  t.rows[1].two_bits.memory = 143'000;  // within a thirtieth
  EXPECT_EQ(choose(t).layout, WeightLayout::tiles);
  t.rows[1].two_bits.memory = 145'000;
  EXPECT_EQ(choose(t).layout, WeightLayout::two_bits);
  EXPECT_TRUE(choose(t).against_roofline);
}

TEST(TuningChoice, NoKernelsForALayoutMeansTheOther) {
  Tuning t = example();
  for (ThreadRates& row : t.rows) row.tiles = {};
  EXPECT_EQ(choose(t).layout, WeightLayout::two_bits);
}

TEST(TuningChoice, NoMoreThreadsThanHelp) {
  Tuning t = example();
  EXPECT_EQ(choose(t).decode_threads, 2);
  EXPECT_EQ(choose(t).prompt_threads, 2);
  t.rows.push_back({4, 30'500, {800'000, 111'000, 900'000}, {700'000, 141'000, 800'000}});
  EXPECT_EQ(choose(t).decode_threads, 2);  // memory gives no more
  EXPECT_EQ(choose(t).prompt_threads, 4);
}

TEST(TuningFile, HasOneFormAndComesBack) {
  const std::string text = format_tuning(example());
  EXPECT_EQ(parse_tuning(text, "t"), example());
  EXPECT_EQ(text,
            "bitnet tuning 1\ncpu Some CPU 3000\nisa avx2\ncpus 4\ncaches 32768 1048576 0\n"
            "threads 1 read 20000 two-bits 200000 70000 300000 tiles 180000 90000 280000\n"
            "threads 2 read 30000 two-bits 400000 110000 600000 tiles 360000 140000 550000\nend\n");
}

// Whatever is accepted is written as it was read: nothing is skipped, nothing read in two ways.
TEST(TuningFile, DamageIsRefusedOrIsAnotherTuning) {
  const std::string good = format_tuning(example());
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_NE(kind_of(good.substr(0, length)), "") << length;
  std::mt19937 random(1);
  int refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const char c :
         {'\0', '\n', ' ', '0', '9', '-', '+', 'x', '\x80', static_cast<char>(random())}) {
      std::string bad = good;
      bad[at] = c;
      try {
        EXPECT_EQ(format_tuning(parse_tuning(bad, "t")), bad);
      } catch (const FileError&) {
        ++refused;
      }
      bad = good;
      bad.insert(at, 1, c);
      try {
        EXPECT_EQ(format_tuning(parse_tuning(bad, "t")), bad);
      } catch (const FileError&) {
        ++refused;
      }
    }
  EXPECT_GT(refused, 1000);
}

TEST(TuningFile, LimitsAreKept) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = format_tuning(example());
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  EXPECT_EQ(kind_of(""), "E_MAGIC");
  EXPECT_EQ(kind_of("{\"json\": 1}"), "E_MAGIC");
  EXPECT_EQ(kind_of(with("tuning 1", "tuning 2")), "E_VERSION");
  EXPECT_EQ(kind_of(with("Some CPU 3000", "")), "E_HEADER");
  EXPECT_EQ(kind_of(with("Some CPU 3000", std::string(201, 'x'))), "E_HEADER");
  EXPECT_EQ(kind_of(with("Some CPU 3000", "a\tb")), "E_HEADER");
  EXPECT_EQ(kind_of(with("read 20000", "read 0")), "E_HEADER");
  EXPECT_EQ(kind_of(with("read 20000", "read 020000")), "E_HEADER");
  EXPECT_EQ(kind_of(with("read 20000", "read -20000")), "E_HEADER");
  EXPECT_EQ(kind_of(with("read 20000", "read 1000000000001")), "E_HEADER");
  EXPECT_EQ(kind_of(with("read 20000", "read 99999999999999999999")), "E_HEADER");
  EXPECT_EQ(kind_of(with("threads 2", "threads 1")), "E_HEADER");
  EXPECT_EQ(kind_of(with("threads 2", "threads 513")), "E_HEADER");
  EXPECT_EQ(kind_of(with("end\n", "end\nmore\n")), "E_HEADER");
  std::string many = format_tuning(example());
  Tuning t = example();
  t.rows.clear();
  EXPECT_EQ(kind_of(format_tuning(t)), "E_HEADER");
  for (std::int64_t n = 1; n <= 17; ++n) t.rows.push_back({n, 1, {}, {}});
  EXPECT_EQ(kind_of(format_tuning(t)), "E_COUNT");
}

class TuningStore : public ::testing::Test {
 protected:
  TuningStore()
      : folder_(fs::temp_directory_path() / ("bitnet_tuning_" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    ::setenv("BITNET_TUNING", path().c_str(), 1);
  }
  ~TuningStore() override {
    ::unsetenv("BITNET_TUNING");
    fs::remove_all(folder_);
  }
  std::string path() const { return (folder_ / "deep" / "tuning").string(); }
  static Tuning mine() {
    Tuning t = example();
    t.machine = this_machine();
    return t;
  }
  void write(const std::string& text) const {
    fs::create_directories(folder_ / "deep");
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << text;
  }
  fs::path folder_;
};

TEST_F(TuningStore, WhatIsStoredIsLoaded) {
  EXPECT_FALSE(load_tuning().tuning);
  EXPECT_EQ(load_tuning().ignored, "");
  EXPECT_EQ(store_tuning(mine()), path());
  ASSERT_TRUE(load_tuning().tuning);
  EXPECT_EQ(*load_tuning().tuning, mine());
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "deep"), {}), 1);  // no temporary
}

TEST_F(TuningStore, WhatIsNotOfThisMachineOrDamagedIsIgnoredWithAReason) {
  Tuning other = mine();
  other.machine.cpus += 1;
  write(format_tuning(other));
  EXPECT_FALSE(load_tuning().tuning);
  EXPECT_NE(load_tuning().ignored.find("another machine"), std::string::npos);
  for (const std::string& text : {std::string(), std::string("bitnet tuning 9\n"),
                                  std::string(1 << 20, 'x'), format_tuning(mine()).substr(0, 60)}) {
    write(text);
    EXPECT_FALSE(load_tuning().tuning);
    EXPECT_NE(load_tuning().ignored.find(path()), std::string::npos);
  }
}

TEST_F(TuningStore, NoFileOfAnotherKindIsRead) {
  fs::create_directories(path());  // a folder
  EXPECT_FALSE(load_tuning().tuning);
  EXPECT_NE(load_tuning().ignored, "");
  EXPECT_THROW(store_tuning(mine()), FileError);
  fs::remove_all(path());
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);  // nobody writes: it must not block
  EXPECT_FALSE(load_tuning().tuning);
  EXPECT_NE(load_tuning().ignored, "");
}

TEST_F(TuningStore, ALinkIsReplacedNotFollowed) {
  fs::create_directories(folder_ / "deep");
  std::ofstream(folder_ / "mine") << "precious";
  fs::create_symlink(folder_ / "mine", path());
  store_tuning(mine());
  EXPECT_FALSE(fs::is_symlink(path()));
  EXPECT_EQ(os::read_file((folder_ / "mine").string(), 100), "precious");
}

TEST_F(TuningStore, TheEnvironmentSaysWhere) {
  const MachineIdentity machine = this_machine();
  MachineIdentity other = machine;
  other.isa = "other";
  ::setenv("BITNET_TUNING", "", 1);
  EXPECT_EQ(tuning_path(machine), "");
  EXPECT_EQ(store_tuning(mine()), "");
  EXPECT_FALSE(load_tuning().tuning);
  ::unsetenv("BITNET_TUNING");
  const char* home = std::getenv("HOME");
  const std::string before = home ? home : "";
  ::setenv("HOME", "/home/me", 1);
  ::setenv("XDG_CACHE_HOME", "/cache", 1);
  EXPECT_TRUE(tuning_path(machine).starts_with("/cache/bitnet/tuning-")) << tuning_path(machine);
  EXPECT_NE(tuning_path(machine), tuning_path(other));
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_TRUE(tuning_path(machine).starts_with("/home/me/.cache/bitnet/"));
  ::unsetenv("XDG_CACHE_HOME");
  ::setenv("HOME", "", 1);
  EXPECT_EQ(tuning_path(machine), "");
  ::setenv("HOME", before.c_str(), 1);
}

TEST(MeasureTuning, EveryRowHasItsRates) {
  const Tuning t = measure_tuning();
  EXPECT_EQ(t.machine, this_machine());
  EXPECT_EQ(t.rows.front().threads, 1);
  EXPECT_EQ(t.rows.back().threads, t.machine.cpus);
  for (const ThreadRates& row : t.rows) {
    EXPECT_GT(row.read, 100);
    for (const std::int64_t rate : {row.two_bits.cached, row.two_bits.memory, row.two_bits.prompt})
      EXPECT_GT(rate, 0);
    EXPECT_EQ(row.tiles.cached > 0, row.tiles.memory > 0);
  }
  EXPECT_EQ(parse_tuning(format_tuning(t), "t"), t);
}

}  // namespace
}  // namespace bitnet
