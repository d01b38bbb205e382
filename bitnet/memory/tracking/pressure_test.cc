// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/pressure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

namespace bitnet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using enum PressureLevel;
using std::chrono::milliseconds;

PressureReading machine(std::uint64_t used_percent) {
  PressureReading r;
  r.system.total_bytes = 100'000;
  r.system.available_bytes = 100'000 - used_percent * 1000;
  return r;
}

PressureLevel level(const PressureReading& reading, PressureLevel now = none) {
  return pressure_level(reading, now, PressureThresholds{});
}

/// The machine's memory, not the share that the pool itself takes of it.
TEST(PressureLevel, FollowsTheMachine) {
  EXPECT_EQ(level(machine(69)), none);
  EXPECT_EQ(level(machine(70)), low);
  EXPECT_EQ(level(machine(80)), medium);
  EXPECT_EQ(level(machine(90)), high);
  EXPECT_EQ(level(machine(95)), critical);
  EXPECT_EQ(level(PressureReading{}), none);
}

TEST(PressureLevel, TheWorstOfAllSourcesCounts) {
  PressureReading r = machine(70);
  r.system.group_limit_bytes = 1000;
  r.system.group_used_bytes = 850;
  EXPECT_EQ(level(r), medium);
  r.pool_limit_bytes = 100;
  r.pool_bytes = 91;
  EXPECT_EQ(level(r), high);
  r.system.some_avg10 = 99;
  EXPECT_EQ(level(r), high);
  r.system.full_avg10 = 40;
  EXPECT_EQ(level(r), critical);
}

TEST(PressureLevel, StallsHaveTheirThresholds) {
  const auto stalled = [](double some, double full) {
    PressureReading r;
    r.system.some_avg10 = some;
    r.system.full_avg10 = full;
    return level(r);
  };
  EXPECT_EQ(stalled(6.9, 0), none);
  EXPECT_EQ(stalled(7, 0), low);
  EXPECT_EQ(stalled(20, 9.9), medium);
  EXPECT_EQ(stalled(20, 10), high);
}

TEST(PressureLevel, NewEventsOfTheGroupCountOnce) {
  PressureReading r;
  r.system.group_events = os::MemoryEvents{3, 2, 1};
  const auto after = [&](const std::optional<os::MemoryEvents>& before) {
    return pressure_level(r, none, PressureThresholds{}, 1.0, before);
  };
  EXPECT_EQ(after(std::nullopt), none);  // of the time before this process
  EXPECT_EQ(after(os::MemoryEvents{3, 2, 1}), none);
  EXPECT_EQ(after(os::MemoryEvents{2, 2, 1}), medium);
  EXPECT_EQ(after(os::MemoryEvents{2, 1, 1}), high);
  EXPECT_EQ(after(os::MemoryEvents{2, 1, 0}), critical);
}

TEST(PressureLevel, ALevelIsLeftBelowItsThreshold) {
  EXPECT_EQ(level(machine(89), none), medium);
  EXPECT_EQ(level(machine(89), high), high);
  EXPECT_EQ(level(machine(89), critical), high);
  EXPECT_EQ(level(machine(87), high), medium);
  EXPECT_EQ(level(machine(94), critical), critical);
}

TEST(PressureLevel, ThePoolIsFullAtItsRatio) {
  PressureReading r;
  r.pool_limit_bytes = 1000;
  r.pool_bytes = 760;
  EXPECT_EQ(pressure_level(r, none, {}, 1.0), low);
  EXPECT_EQ(pressure_level(r, none, {}, 0.8), critical);
}

TEST(PressureNotifier, TellsChangesOnce) {
  PressureNotifier notifier(milliseconds(100));
  EXPECT_THAT(notifier.update(none, milliseconds(0)), IsEmpty());
  EXPECT_THAT(notifier.update(low, milliseconds(1)), ElementsAre(low));
  EXPECT_THAT(notifier.update(low, milliseconds(500)), IsEmpty());
  EXPECT_THAT(notifier.update(none, milliseconds(501)), ElementsAre(none));
}

/// What is reached inside a cooldown is told when it ends, even when it is over by then.
TEST(PressureNotifier, NothingInsideACooldownIsLost) {
  PressureNotifier notifier(milliseconds(100));
  notifier.update(low, milliseconds(0));
  EXPECT_THAT(notifier.update(high, milliseconds(50)), IsEmpty());
  EXPECT_THAT(notifier.update(high, milliseconds(99)), IsEmpty());
  EXPECT_THAT(notifier.update(high, milliseconds(100)), ElementsAre(high));
  EXPECT_THAT(notifier.update(none, milliseconds(150)), IsEmpty());
  EXPECT_THAT(notifier.update(none, milliseconds(200)), ElementsAre(none));
  EXPECT_THAT(notifier.update(high, milliseconds(210)), IsEmpty());
  EXPECT_THAT(notifier.update(low, milliseconds(220)), IsEmpty());
  EXPECT_THAT(notifier.update(low, milliseconds(300)), ElementsAre(high, low));
  EXPECT_THAT(notifier.update(medium, milliseconds(310)), IsEmpty());
  EXPECT_THAT(notifier.update(low, milliseconds(320)), IsEmpty());
  EXPECT_THAT(notifier.update(low, milliseconds(400)), ElementsAre(medium, low));
}

TEST(PressureNotifier, CriticalDoesNotWait) {
  PressureNotifier notifier(milliseconds(100));
  notifier.update(high, milliseconds(0));
  EXPECT_THAT(notifier.update(critical, milliseconds(1)), ElementsAre(critical));
  EXPECT_THAT(notifier.update(critical, milliseconds(2)), IsEmpty());
  EXPECT_THAT(notifier.update(low, milliseconds(3)), IsEmpty());
  EXPECT_THAT(notifier.update(critical, milliseconds(4)), ElementsAre(critical));
  EXPECT_THAT(notifier.update(none, milliseconds(104)), ElementsAre(none));
}

TEST(PressureCallbacks, RegistrationsEndWithTheirOwner) {
  PressureCallbacks callbacks;
  std::vector<PressureLevel> told;
  PressureRegistration kept = callbacks.add([&](PressureLevel l) { told.push_back(l); });
  {
    const PressureRegistration gone = callbacks.add([&](PressureLevel) { told.push_back(none); });
    EXPECT_TRUE(gone);
  }
  callbacks.notify(high);
  PressureRegistration moved = std::move(kept);
  callbacks.notify(low);
  moved.reset();
  callbacks.notify(critical);
  EXPECT_THAT(told, ElementsAre(high, low));
}

TEST(PressureCallbacks, WhatOneThrowsTheOthersDoNotNotice) {
  PressureCallbacks callbacks;
  int calls = 0;
  const auto a = callbacks.add([](PressureLevel) { throw std::runtime_error("no"); });
  const auto b = callbacks.add([&](PressureLevel) { ++calls; });
  callbacks.notify(low);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(callbacks.errors(), 1u);
}

/// No lock is held in a callback: it may register, unregister itself, and notify.
TEST(PressureCallbacks, ACallbackMayChangeTheRegistrations) {
  PressureCallbacks callbacks;
  int inner_calls = 0;
  PressureRegistration inner, self;
  self = callbacks.add([&](PressureLevel) {
    inner = callbacks.add([&](PressureLevel) { ++inner_calls; });
    self.reset();
    callbacks.notify(medium);
  });
  callbacks.notify(low);
  callbacks.notify(low);
  EXPECT_EQ(inner_calls, 2);
}

TEST(PressureCallbacks, ARegistrationMayOutliveThePool) {
  PressureRegistration registration;
  {
    PressureCallbacks callbacks;
    registration = callbacks.add([](PressureLevel) {});
  }
  registration.reset();
  EXPECT_FALSE(registration);
}

/// Once reset() returned, the callback does not run, so what it uses may go.
TEST(PressureCallbacks, ResetWaitsForACallOnAnotherThread) {
  for (int round = 0; round < 200; ++round) {
    PressureCallbacks callbacks;
    auto used = std::make_unique<int>(0);
    std::atomic<bool> go{false};
    PressureRegistration registration = callbacks.add([&](PressureLevel) {
      go = true;
      ++*used;
    });
    std::thread notifying([&] {
      for (int i = 0; i < 20; ++i) callbacks.notify(low);
    });
    while (!go) std::this_thread::yield();
    registration.reset();
    used.reset();
    notifying.join();
  }
}

}  // namespace
}  // namespace bitnet
