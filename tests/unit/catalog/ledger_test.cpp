#include "catalog/ledger.hpp"

#include <filesystem>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

#include "catalog/trust.hpp"

namespace jobhost::catalog {
namespace {

TEST(Ledger, KeepsGrantsOfRecords) {
  const auto file = std::filesystem::temp_directory_path() / ("jobhost-ledger-" + std::to_string(::getpid()));
  Permissions granted;
  granted.kv = true;
  granted.net = {"a.example"};
  granted.records_read = {"com.example.lib/books", "com.example.lib/\"odd\""};
  granted.records_write = {"com.example.lib/*"};
  {
    Ledger ledger(file);
    ledger.grants[{"com.example.app", "key"}] = {granted, core::fromMicros(5)};
    ASSERT_TRUE(ledger.save().ok());
  }
  Ledger again(file);
  again.load();
  std::filesystem::remove(file);
  const auto grant = again.grants.find({"com.example.app", "key"});
  ASSERT_NE(grant, again.grants.end());
  EXPECT_EQ(grant->second.permissions, granted);
}

TEST(Permissions, ToWriteRecordsCoverReadingThem) {
  Permissions granted;
  granted.records_write = {"com.example.lib/books"};
  Permissions wanted;
  wanted.records_read = {"com.example.lib/books"};
  EXPECT_TRUE(covers(granted, wanted));
  EXPECT_FALSE(covers(wanted, granted));
  wanted.records_read.push_back("com.example.lib/pages");
  EXPECT_FALSE(covers(granted, wanted));
  EXPECT_EQ(toString(granted), "records to write: com.example.lib/books");
  EXPECT_EQ(toString(wanted), "records to read: com.example.lib/books, com.example.lib/pages");
}

}  // namespace
}  // namespace jobhost::catalog
