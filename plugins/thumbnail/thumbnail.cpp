#include <jobhost/plugin.hpp>

#include "jobhost_manifest.h"
#include "support/image/image_engine.hpp"
#include "thumbnail/jobs.hpp"
#include "thumbnail/settings.hpp"

JOBHOST_MANIFEST(JOBHOST_MANIFEST_JSON);

static void start(jobhost::Init& init) {
  jobhost::thumbnail::setPluginDir(init.pluginDir());
  jobhost::support::startImageEngine();
}

using jobhost::thumbnail::runPageThumbnails;
using jobhost::thumbnail::runRegenAllThumbnails;
using jobhost::thumbnail::runTankThumbnailTask;
using jobhost::thumbnail::runThumbnail;
using jobhost::thumbnail::runThumbnailTask;

JOBHOST_JOB("thumbnail", runThumbnail);
JOBHOST_JOB("thumbnail_task", runThumbnailTask);
JOBHOST_JOB("page_thumbnails", runPageThumbnails);
JOBHOST_JOB("tank_thumbnail_task", runTankThumbnailTask);
JOBHOST_JOB("regen_all_thumbnails", runRegenAllThumbnails);
JOBHOST_PLUGIN_WITH_INIT(start, &jh_t_runThumbnail, &jh_t_runThumbnailTask, &jh_t_runPageThumbnails,
                         &jh_t_runTankThumbnailTask, &jh_t_runRegenAllThumbnails)
