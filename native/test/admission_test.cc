#include "engine/admission.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "checks.h"

namespace admission_test {

namespace {

using cellroute::Admission;
using cellroute::CancelFlag;
using cellroute::Cancelled;

/** Answers to requests, in order, and the rooms. */
struct Answers {
  std::vector<std::string> lines;
  std::vector<std::shared_ptr<Admission::Room>> rooms;

  Answers() = default;
  // A room that is returned may admit the next request, whose answer adds to `rooms`.
  ~Answers() {
    while (!rooms.empty()) release();
  }
  Answers(const Answers&) = delete;
  Answers& operator=(const Answers&) = delete;

  /** Returns all rooms; other requests may be admitted during the call. */
  void release() { std::exchange(rooms, {}).clear(); }

  Admission::Answer of(const std::string& name) {
    return [this, name](std::shared_ptr<Admission::Room> room, const std::exception_ptr& failure) {
      std::string outcome = room ? "admitted" : "nothing";
      try {
        if (failure) std::rethrow_exception(failure);
      } catch (const Cancelled&) {
        outcome = "cancelled";
      }
      lines.push_back(name + " " + outcome);
      if (room) rooms.push_back(std::move(room));
    };
  }
};

std::shared_ptr<CancelFlag> flag() { return std::make_shared<CancelFlag>(); }

}  // namespace

TEST_CASE("admission: calls wait for bytes and are admitted in order") {
  const auto admission = std::make_shared<Admission>(Admission::Limits{100, 10});
  Answers answers;
  admission->request(flag(), 60, answers.of("a"));
  admission->request(flag(), 60, answers.of("b"));
  // It would fit, but came later.
  admission->request(flag(), 10, answers.of("c"));
  CHECK(answers.lines == std::vector<std::string>{"a admitted"});
  CHECK(admission->held().bytes == 60);
  answers.release();
  CHECK(answers.lines == std::vector<std::string>{"a admitted", "b admitted", "c admitted"});
  CHECK(admission->held().calls == 2);
  answers.release();
  CHECK(admission->held().calls == 0);
  CHECK(admission->held().bytes == 0);
}

TEST_CASE("admission: the number of calls is limited too, and limits can be changed") {
  const auto admission = std::make_shared<Admission>(Admission::Limits{100, 1});
  Answers answers;
  for (const char* name : {"a", "b", "c"}) admission->request(flag(), 1, answers.of(name));
  CHECK(answers.lines == std::vector<std::string>{"a admitted"});
  admission->set_limits({100, 2});
  CHECK(answers.lines == std::vector<std::string>{"a admitted", "b admitted"});
}

TEST_CASE("admission: a call that alone exceeds the limit is admitted when no other holds room") {
  const auto admission = std::make_shared<Admission>(Admission::Limits{100, 10});
  Answers answers;
  admission->request(flag(), 10, answers.of("small"));
  admission->request(flag(), 1000, answers.of("large"));
  CHECK(answers.lines == std::vector<std::string>{"small admitted"});
  answers.release();
  CHECK(answers.lines == std::vector<std::string>{"small admitted", "large admitted"});
  admission->request(flag(), 10, answers.of("next"));
  CHECK(answers.lines.size() == 2);
}

TEST_CASE("admission: try_hold gives nothing if the queue is full, and overtakes nobody") {
  const auto admission = std::make_shared<Admission>(Admission::Limits{100, 10});
  Answers answers;
  auto first = admission->try_hold(60);
  CHECK(first != nullptr);
  CHECK(admission->try_hold(60) == nullptr);
  CHECK(admission->try_hold(10) != nullptr);
  admission->request(flag(), 60, answers.of("waiting"));
  // It would fit, but must not overtake.
  CHECK(admission->try_hold(10) == nullptr);
  first.reset();
  CHECK(answers.lines == std::vector<std::string>{"waiting admitted"});
}

TEST_CASE("admission: a cancelled request is answered immediately and unblocks later requests") {
  const auto admission = std::make_shared<Admission>(Admission::Limits{100, 10});
  Answers answers;
  const auto large = flag();
  admission->request(flag(), 60, answers.of("a"));
  admission->request(large, 60, answers.of("large"));
  admission->request(flag(), 10, answers.of("c"));
  large->cancel();
  CHECK(answers.lines == std::vector<std::string>{"a admitted", "large cancelled", "c admitted"});
  const auto cancelled = flag();
  cancelled->cancel();
  admission->request(cancelled, 60, answers.of("late"));
  CHECK(answers.lines.back() == "late cancelled");
}

TEST_CASE("admission: an earlier call is admitted before a later call that requested first") {
  const auto admission = std::make_shared<Admission>(Admission::Limits{100, 1});
  Answers answers;
  admission->request(flag(), 1, answers.of("first"));
  const auto early = flag(), late = flag();
  admission->request(late, 1, answers.of("late"));
  admission->request(early, 1, answers.of("early"));
  answers.release();
  CHECK(answers.lines == std::vector<std::string>{"first admitted", "early admitted"});
}

}  // namespace admission_test
