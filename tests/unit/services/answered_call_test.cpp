#include "services/answered_call.hpp"

#include <gtest/gtest.h>

#include <new>
#include <string>
#include <vector>

namespace jobhost::services {
namespace {

TEST(AnsweredCall, IsAnsweredOnceWhateverHappens) {
  std::vector<std::string> told;
  const auto keep = [&](const core::Result<int>& result) {
    told.push_back(result ? std::to_string(*result) : std::string(result.error().message));
  };
  AnsweredCall<int> good(keep);
  good.run([&] {
    good.answer()(1);
    good.answer()(2);
  });
  AnsweredCall<int> bad(keep);
  bad.run([] { throw std::bad_alloc(); });
  AnsweredCall<int> late(keep);
  late.run([&] {
    late.answer()(3);
    throw std::bad_alloc();
  });
  EXPECT_EQ(told, (std::vector<std::string>{"1", "the host could not serve the call", "3"}));
}

}  // namespace
}  // namespace jobhost::services
