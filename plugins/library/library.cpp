#include <jobhost/plugin.hpp>

#include "jobhost_manifest.h"
#include "library/jobs.hpp"
#include "support/image/image_engine.hpp"

JOBHOST_MANIFEST(JOBHOST_MANIFEST_JSON);

static void start(jobhost::Init&) {
  jobhost::support::startImageEngine();
}

using jobhost::library::runBuildStatHashes;
using jobhost::library::runDownloadUrl;
using jobhost::library::runFindDuplicates;
using jobhost::library::runHandleUpload;
using jobhost::library::runRunPlugin;
using jobhost::library::runScanLibrary;

JOBHOST_JOB("handle_upload", runHandleUpload);
JOBHOST_JOB("download_url", runDownloadUrl);
JOBHOST_JOB("find_duplicates", runFindDuplicates);
JOBHOST_JOB("build_stat_hashes", runBuildStatHashes);
JOBHOST_JOB("run_plugin", runRunPlugin);
JOBHOST_JOB("scan_library", runScanLibrary);
JOBHOST_PLUGIN_WITH_INIT(start, &jh_t_runHandleUpload, &jh_t_runDownloadUrl, &jh_t_runFindDuplicates,
                         &jh_t_runBuildStatHashes, &jh_t_runRunPlugin, &jh_t_runScanLibrary)
