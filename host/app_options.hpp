#pragma once

#include <filesystem>

#include "api/server.hpp"
#include "catalog/plugin_folder.hpp"
#include "dispatch/options.hpp"
#include "fetch/client.hpp"
#include "jobs/job_service.hpp"
#include "jobs/retention.hpp"
#include "pool/options.hpp"
#include "services/host_services.hpp"
#include "services/record_service.hpp"
#include "settings/settings.hpp"
#include "store/sqlite_store.hpp"

namespace jobhost {

// What the operator's settings mean to each part. Pure; `data` is the absolute data folder.
store::SqliteStore::Options storeOptions(const settings::Settings& all, const std::filesystem::path& data);
jobs::JobService::Options jobServiceOptions(const settings::Settings& all, const std::filesystem::path& data);
jobs::Retention::Options retentionOptions(const settings::Settings& all, const std::filesystem::path& data);
/// Error: http.allow_networks cannot be read.
core::Result<fetch::ClientOptions> fetchOptions(const settings::Settings& all);
/// `catalog` is borrowed: plugins are told of it which job types provide what they ask for.
services::HostServices::Options serviceOptions(const settings::Settings& all, const std::filesystem::path& data,
                                               const catalog::Catalog& catalog);
/// Where files lie that were sent to be taken into the content folder.
/// Where lightnovel-crawler's files lie: `lncrawl.dir`, by default in the data folder.
std::filesystem::path lncrawlFolder(const settings::Settings& all, const std::filesystem::path& data);
std::filesystem::path uploadFolder(const settings::Settings& all, const std::filesystem::path& data);
services::RecordService::Options recordOptions(const settings::Settings& all);
pool::RunnerPoolOptions poolOptions(const settings::Settings& all, const std::filesystem::path& data);
dispatch::Options dispatchOptions(const settings::Settings& all);
catalog::PluginFolder::Options folderOptions(const settings::Settings& all, const std::filesystem::path& data);
api::Accounts::Options accountOptions(const settings::Settings& all);
api::ServerOptions serverOptions(const settings::Settings& all, const std::filesystem::path& data);

}  // namespace jobhost
