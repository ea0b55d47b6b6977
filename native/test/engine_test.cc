#include "engine/engine.h"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "checks.h"

namespace engine_test {

namespace {

using cellroute::CancelFlag;
using cellroute::Cancelled;
using cellroute::Engine;
using cellroute::Job;

/** Records what the jobs of a test did; `wait` until a number of them has settled. */
class Log {
 public:
  void add(const std::string& line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
  }
  void settled(const std::string& line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
    ++settled_;
    changed_.notify_all();
  }
  std::vector<std::string> wait(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return settled_ >= count; });
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> lines_;
  size_t settled_ = 0;
};

struct Plan {
  std::string name;
  std::string group;
  double share = 1.0;
  std::function<void(size_t batch_size)> work = [](size_t) {};
  bool lasting = false;
  bool prepares = false;
  bool fails_to_prepare = false;
};

class TestJob final : public Job {
 public:
  TestJob(Log& log, Plan plan, std::shared_ptr<CancelFlag> flag = std::make_shared<CancelFlag>())
      : Job(std::move(flag)), log_(log), plan_(std::move(plan)) {}

  bool can_share_batch(const Job& other) const override {
    return !plan_.group.empty() && static_cast<const TestJob&>(other).plan_.group == plan_.group;
  }
  double batch_share() const override { return plan_.share; }
  bool took_effect() const override { return plan_.lasting; }

  void prepare() override {
    if (!plan_.prepares) return;
    log_.add("prepare " + plan_.name);
    if (plan_.fails_to_prepare) throw std::runtime_error("not yet");
  }
  void drop_prepared() noexcept override {
    if (plan_.prepares) log_.add("drop " + plan_.name);
  }

  void run(const std::vector<std::shared_ptr<Job>>& batch) override {
    log_.add("run " + plan_.name + " of " + std::to_string(batch.size()));
    plan_.work(batch.size());
  }

  void settle(std::exception_ptr failure) noexcept override {
    std::string outcome = "done";
    try {
      if (failure) std::rethrow_exception(failure);
    } catch (const Cancelled&) {
      outcome = "cancelled";
    } catch (const std::exception& error) {
      outcome = error.what();
    }
    log_.settled(plan_.name + " " + outcome);
  }

 private:
  Log& log_;
  Plan plan_;
};

/** Blocks the owner thread until it is opened, so that later jobs wait in the queue. */
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    entered_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  void wait_until_entered() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  bool entered_ = false;
};

Plan gated(Gate& gate) {
  return {.name = "gate", .group = "", .work = [&gate](size_t) { gate.wait(); }};
}

/** Waits at the gate, then prepares the waiting jobs. */
Plan gated_and_preparing(Gate& gate) {
  return {.name = "first", .group = "", .work = [&gate](size_t) {
            gate.wait();
            Engine::prepare_waiting();
          }};
}

}  // namespace

TEST_CASE("engine: jobs run one after the other in order of submission") {
  Log log;
  Engine engine(1);
  for (const char* name : {"a", "b", "c"}) {
    engine.submit(std::make_shared<TestJob>(log, Plan{.name = name, .group = ""}));
  }
  CHECK(log.wait(3) == std::vector<std::string>{"run a of 1", "a done", "run b of 1", "b done",
                                                "run c of 1", "c done"});
}

TEST_CASE("engine: waiting jobs of one group share a batch of at most 1, others keep their order") {
  Log log;
  Gate gate;
  Engine engine(1);
  engine.submit(std::make_shared<TestJob>(log, gated(gate)));
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "a1", .group = "a", .share = 0.4}));
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "b", .group = "b", .share = 0.4}));
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "a2", .group = "a", .share = 0.4}));
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "a3", .group = "a", .share = 0.4}));
  gate.open();
  CHECK(log.wait(5) == std::vector<std::string>{"run gate of 1", "gate done", "run a1 of 2",
                                                "a1 done", "a2 done", "run b of 1", "b done",
                                                "run a3 of 1", "a3 done"});
}

TEST_CASE("engine: jobs of a failed batch run again one by one, and only the bad job fails") {
  Log log;
  Gate gate;
  Engine engine(1);
  const auto bad = [](size_t) { throw std::runtime_error("bad"); };
  const auto bad_in_company = [](size_t count) {
    if (count > 1) throw std::runtime_error("company");
  };
  engine.submit(std::make_shared<TestJob>(log, gated(gate)));
  engine.submit(std::make_shared<TestJob>(
      log, Plan{.name = "good", .group = "k", .share = 0.3, .work = bad_in_company}));
  engine.submit(
      std::make_shared<TestJob>(log, Plan{.name = "bad", .group = "k", .share = 0.3, .work = bad}));
  gate.open();
  CHECK(log.wait(3) == std::vector<std::string>{"run gate of 1", "gate done", "run good of 2",
                                                "run good of 1", "good done", "run bad of 1",
                                                "bad bad"});
}

TEST_CASE("engine: a waiting job that is cancelled is settled before the running job ends") {
  Log log;
  Gate gate;
  Engine engine(1);
  engine.submit(std::make_shared<TestJob>(log, gated(gate)));
  const auto job = std::make_shared<TestJob>(log, Plan{.name = "a", .group = ""});
  engine.submit(job);
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "b", .group = ""}));
  gate.wait_until_entered();
  job->cancel_flag()->cancel();
  // Without this, the gate would never be opened.
  log.wait(1);
  gate.open();
  CHECK(log.wait(3) == std::vector<std::string>{"run gate of 1", "a cancelled", "gate done",
                                                "run b of 1", "b done"});
}

TEST_CASE("engine: a cancelled job of a batch is settled immediately and the others continue") {
  Log log;
  Gate first, batch;
  Engine engine(1);
  engine.submit(std::make_shared<TestJob>(log, gated(first)));
  const auto member = [&](const char* name) {
    const auto job = std::make_shared<TestJob>(
        log, Plan{.name = name, .group = "k", .share = 0.3, .work = [&batch](size_t) {
                    batch.wait();
                    cellroute::throw_if_cancelled();
                  }});
    engine.submit(job);
    return job;
  };
  const auto a = member("a"), b = member("b"), c = member("c");
  first.open();
  batch.wait_until_entered();
  b->cancel_flag()->cancel();
  log.wait(2);
  SUBCASE("the others get their results") {
    batch.open();
    CHECK(log.wait(4) == std::vector<std::string>{"run gate of 1", "gate done", "run a of 3",
                                                  "b cancelled", "a done", "c done"});
  }
  SUBCASE("a batch whose calls are all cancelled stops and is not repeated") {
    a->cancel_flag()->cancel();
    c->cancel_flag()->cancel();
    log.wait(4);
    batch.open();
    engine.submit(std::make_shared<TestJob>(log, Plan{.name = "d", .group = ""}));
    CHECK(log.wait(5) == std::vector<std::string>{"run gate of 1", "gate done", "run a of 3",
                                                  "b cancelled", "a cancelled", "c cancelled",
                                                  "run d of 1", "d done"});
  }
}

TEST_CASE("engine: a running job stops where it polls") {
  Log log;
  Gate gate;
  Engine engine(1);
  const auto job =
      std::make_shared<TestJob>(log, Plan{.name = "a", .group = "", .work = [&](size_t) {
                                            gate.wait();
                                            cellroute::throw_if_cancelled();
                                            log.add("not reached");
                                          }});
  engine.submit(job);
  gate.wait_until_entered();
  job->cancel_flag()->cancel();
  gate.open();
  CHECK(log.wait(1) == std::vector<std::string>{"run a of 1", "a cancelled"});
}

TEST_CASE("engine: the second job of an early call runs before the first job of a later call") {
  Log log;
  Gate gate;
  Engine engine(1);
  engine.submit(std::make_shared<TestJob>(log, gated(gate)));
  const auto early = std::make_shared<CancelFlag>(), late = std::make_shared<CancelFlag>();
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "late", .group = ""}, late));
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "early 1", .group = ""}, early));
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "early 2", .group = ""}, early));
  gate.open();
  CHECK(log.wait(4) == std::vector<std::string>{"run gate of 1", "gate done", "run early 1 of 1",
                                                "early 1 done", "run early 2 of 1", "early 2 done",
                                                "run late of 1", "late done"});
}

TEST_CASE("engine: a job that took effect is done, even if it was cancelled while it ran") {
  Log log;
  Engine engine(1);
  for (const bool lasting : {false, true}) {
    Gate gate;
    auto plan = gated(gate);
    plan.lasting = lasting;
    const auto job = std::make_shared<TestJob>(log, plan);
    engine.submit(job);
    gate.wait_until_entered();
    job->cancel_flag()->cancel();
    gate.open();
    log.wait(lasting ? 2 : 1);
  }
  CHECK(log.wait(2) ==
        std::vector<std::string>{"run gate of 1", "gate cancelled", "run gate of 1", "gate done"});
}

TEST_CASE("engine: about one batch of waiting jobs is prepared while a job waits for its device") {
  Log log;
  Gate gate;
  Engine engine(1);
  engine.submit(std::make_shared<TestJob>(log, gated_and_preparing(gate)));
  gate.wait_until_entered();
  const auto waiting = [&](const char* name, double share, bool fails = false) {
    const auto job = std::make_shared<TestJob>(log, Plan{.name = name,
                                                         .group = "",
                                                         .share = share,
                                                         .prepares = true,
                                                         .fails_to_prepare = fails});
    engine.submit(job);
    return job;
  };
  waiting("a", 0.5, /*fails=*/true);
  waiting("b", 0.3)->cancel_flag()->cancel();
  waiting("c", 0.2);
  waiting("d", 0.2);
  waiting("e", 0.2);
  gate.open();
  CHECK(log.wait(6) == std::vector<std::string>{"run first of 1", "b cancelled", "prepare a",
                                                "drop a", "prepare c", "prepare d", "first done",
                                                "run a of 1", "drop a", "a done", "run c of 1",
                                                "drop c", "c done", "run d of 1", "drop d",
                                                "d done", "run e of 1", "drop e", "e done"});
}

TEST_CASE("engine: a prepared job that is cancelled while it waits is freed") {
  Log log;
  Gate gate, prepared, cancelled;
  Engine engine(1);
  engine.submit(
      std::make_shared<TestJob>(log, Plan{.name = "first", .group = "", .work = [&](size_t) {
                                            gate.wait();
                                            Engine::prepare_waiting();
                                            prepared.open();
                                            cancelled.wait();
                                          }}));
  const auto job = std::make_shared<TestJob>(
      log, Plan{.name = "a", .group = "", .share = 0.5, .prepares = true});
  engine.submit(job);
  gate.open();
  prepared.wait();
  job->cancel_flag()->cancel();
  log.wait(1);
  cancelled.open();
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "b", .group = ""}));
  CHECK(log.wait(3) == std::vector<std::string>{"run first of 1", "prepare a", "a cancelled",
                                                "first done", "drop a", "run b of 1", "b done"});
}

TEST_CASE("engine: a job larger than a batch is not prepared, and other threads prepare nothing") {
  Log log;
  Gate gate;
  Engine engine(1);
  engine.submit(std::make_shared<TestJob>(log, gated_and_preparing(gate)));
  for (const auto& [name, share] : {std::pair{"small", 0.5}, {"large", 1.5}}) {
    engine.submit(std::make_shared<TestJob>(
        log, Plan{.name = name, .group = "", .share = share, .prepares = true}));
  }
  gate.wait_until_entered();
  Engine::prepare_waiting();
  gate.open();
  CHECK(log.wait(3) == std::vector<std::string>{"run first of 1", "prepare small", "first done",
                                                "run small of 1", "drop small", "small done",
                                                "run large of 1", "drop large", "large done"});
}

TEST_CASE("engine: stop cancels running and waiting jobs, and settles later ones") {
  Log log;
  Gate gate;
  Engine engine(1);
  const auto running = std::make_shared<TestJob>(log, gated(gate));
  engine.submit(running);
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "waiting", .group = ""}));
  gate.wait_until_entered();
  std::thread stopper([&] { engine.stop(); });
  // The flag is set before the thread is joined; the gate takes the role of work that polls it.
  while (!running->cancel_flag()->cancelled()) std::this_thread::yield();
  gate.open();
  stopper.join();
  engine.submit(std::make_shared<TestJob>(log, Plan{.name = "late", .group = ""}));
  CHECK(log.wait(3) == std::vector<std::string>{"run gate of 1", "waiting cancelled",
                                                "gate cancelled", "late cancelled"});
}

}  // namespace engine_test
