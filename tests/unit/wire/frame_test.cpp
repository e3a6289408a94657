#include "wire/frame.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <tuple>
#include <vector>

#include "wire/messages.hpp"

namespace jobhost::wire {
namespace {

using testing::HasSubstr;

std::string header(std::uint32_t length, std::uint16_t type, std::uint16_t flags = 0, std::uint32_t id = 0,
                   std::uint32_t job = 0) {
  std::string bytes(kHeaderBytes, '\0');
  const auto put = [&](std::size_t at, std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bytes[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * i));
  };
  put(0, length, 4);
  put(4, type, 2);
  put(6, flags, 2);
  put(8, id, 4);
  put(12, job, 4);
  return bytes;
}

TEST(Frame, IsWrittenByteByByteAsDocumented) {
  std::string out;
  appendFrame(out, FrameType::Note, 0x01020304, 0x0a0b0c0d, "xy");
  EXPECT_EQ(out, std::string("\x02\0\0\0\x03\0\0\0\x04\x03\x02\x01\x0d\x0c\x0b\x0axy", 18));
}

TEST(FrameReader, CutsAStreamAnywhere) {
  std::string stream;
  appendFrame(stream, FrameType::Log, 1, 2, "hello");
  appendFrame(stream, FrameType::Done, 0, 3, "");
  appendFrame(stream, FrameType::Call, 9, 0, std::string(3'000'000, 'c'));
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{65536}, stream.size()}) {
    FrameReader reader(4 << 20);
    std::vector<std::size_t> sizes;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      if (step == 1 && at > 100) {  // the rest at once: byte by byte has shown what it can
        reader.feed(std::string_view(stream).substr(at));
        at = stream.size();
      } else {
        reader.feed(std::string_view(stream).substr(at, step));
      }
      Frame frame;
      while (reader.next(frame) == FrameReader::Status::Message) sizes.push_back(frame.payload.size());
    }
    EXPECT_EQ(sizes, (std::vector<std::size_t>{5, 0, 3'000'000})) << step;
    EXPECT_FALSE(reader.midMessage());
  }
}

TEST(FrameReader, SkipsUnknownOptionalFramesAndEndsAtUnknownMandatoryOnes) {
  FrameReader reader;
  reader.feed(header(3, 0x0777) + "abc");
  reader.feed(header(0, 0x0004, 0, 0, 5));
  Frame frame;
  ASSERT_EQ(reader.next(frame), FrameReader::Status::Message);
  EXPECT_EQ(frame.type, FrameType::Started);
  reader.feed(header(0, 0x8777));
  EXPECT_EQ(reader.next(frame), FrameReader::Status::Broken);
  EXPECT_THAT(reader.error(), HasSubstr("unknown mandatory"));
  reader.feed(header(0, 0x0004));
  EXPECT_EQ(reader.next(frame), FrameReader::Status::Broken);
}

TEST(FrameReader, RefusesLengthsAndFlagsThatCannotBe) {
  Frame frame;
  FrameReader too_long;
  too_long.feed(header(kMaxPayload + 1, 0x8006));
  EXPECT_EQ(too_long.next(frame), FrameReader::Status::Broken);
  FrameReader flags;
  flags.feed(header(0, 0x8006, 0x0004));
  EXPECT_EQ(flags.next(frame), FrameReader::Status::Broken);
  FrameReader empty_part;
  empty_part.feed(header(0, 0x8006, kFlagMore));
  EXPECT_EQ(empty_part.next(frame), FrameReader::Status::Broken);
}

TEST(FrameReader, BoundsMessagesInParts) {
  Frame frame;
  FrameReader reader(1000);
  reader.feed(header(600, 0x800a, kFlagMore, 0, 1) + std::string(600, 'a'));
  EXPECT_EQ(reader.next(frame), FrameReader::Status::NeedMore);
  EXPECT_TRUE(reader.midMessage());
  reader.feed(header(600, 0x800a, 0, 0, 1) + std::string(600, 'a'));
  EXPECT_EQ(reader.next(frame), FrameReader::Status::Broken);

  FrameReader many(1 << 20);
  for (std::uint32_t i = 0; i < 9; ++i) many.feed(header(1, 0x800a, kFlagMore, 0, i) + "a");
  EXPECT_EQ(many.next(frame), FrameReader::Status::Broken);
}

TEST(FrameReader, KeepsPartsOfDifferentMessagesApart) {
  FrameReader reader(1000);
  reader.feed(header(1, 0x800b, kFlagMore, 1, 0) + "a" + header(1, 0x800b, kFlagMore, 2, 0) + "b");
  reader.feed(header(0, 0x800d) + header(1, 0x800b, 0, 1, 0) + "c" + header(1, 0x800b, 0, 2, 0) + "d");
  Frame frame;
  ASSERT_EQ(reader.next(frame), FrameReader::Status::Message);
  EXPECT_EQ(frame.type, FrameType::Ping);
  ASSERT_EQ(reader.next(frame), FrameReader::Status::Message);
  EXPECT_EQ(frame.payload, "ac");
  ASSERT_EQ(reader.next(frame), FrameReader::Status::Message);
  EXPECT_EQ(frame.payload, "bd");
}

TEST(FrameReader, StandsDamagedStreams) {
  std::mt19937 random(20261122);
  std::string stream;
  Done done;
  done.result_json = std::string(2000, 'r');
  done.outputs = {{"a", "b", 1}, {"c", "d", 2}};
  std::string payload;
  encode(payload, done);
  for (int i = 0; i < 20; ++i) appendFrame(stream, i % 2 == 0 ? FrameType::Done : FrameType::Log, 0, 1, payload);
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = stream.substr(0, 1 + random() % stream.size());
    for (unsigned n = random() % 8; n > 0; --n) damaged[random() % damaged.size()] = static_cast<char>(random());
    FrameReader reader;
    reader.feed(damaged);
    Frame frame;
    while (reader.next(frame) == FrameReader::Status::Message) {
      Done read;
      wire::Run run;
      Welcome welcome;
      std::ignore = decode(frame.payload, read);
      std::ignore = decode(frame.payload, run);
      std::ignore = decode(frame.payload, welcome);
    }
  }
}

}  // namespace
}  // namespace jobhost::wire
