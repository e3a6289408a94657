#include "store/sqlite_store.hpp"
#include "unit/store/store_contract.hpp"

namespace jobhost::store {

std::vector<StoreFactory> storeFactories() {
  return {{"Sqlite", [](const std::filesystem::path& folder, const core::Clock& clock) -> std::unique_ptr<JobStore> {
             SqliteStore::Options options;
             options.path = folder / "jobs.db";
             options.synchronous_full = false;  // the order of writes is the same; the tests only take less long
             auto opened = SqliteStore::open(options, clock);
             EXPECT_TRUE(opened.ok()) << opened.error().message << opened.error().detail;
             return opened ? *std::move(opened) : nullptr;
           }}};
}

}  // namespace jobhost::store
