#include <jobhost/plugin.hpp>

#include "fetch-novel/jobs.hpp"
#include "jobhost_manifest.h"
#include "support/image/image_engine.hpp"

JOBHOST_MANIFEST(JOBHOST_MANIFEST_JSON);

static void start(jobhost::Init&) {
  jobhost::support::startImageEngine();
}

using jobhost::novel::runChapter;
using jobhost::novel::runChapterBatch;
using jobhost::novel::runFullNovel;
using jobhost::novel::runFullNovelBatch;
using jobhost::novel::runImage;
using jobhost::novel::runImageBatch;
using jobhost::novel::runNovel;
using jobhost::novel::runNovelBatch;
using jobhost::novel::runScanSources;
using jobhost::novel::runVolume;
using jobhost::novel::runVolumeBatch;

JOBHOST_JOB("novel", runNovel);
JOBHOST_JOB("full_novel", runFullNovel);
JOBHOST_JOB("novel_batch", runNovelBatch);
JOBHOST_JOB("full_novel_batch", runFullNovelBatch);
JOBHOST_JOB("volume", runVolume);
JOBHOST_JOB("volume_batch", runVolumeBatch);
JOBHOST_JOB("chapter", runChapter);
JOBHOST_JOB("chapter_batch", runChapterBatch);
JOBHOST_JOB("image", runImage);
JOBHOST_JOB("image_batch", runImageBatch);
JOBHOST_JOB("scan_sources", runScanSources);
JOBHOST_PLUGIN_WITH_INIT(start, &jh_t_runNovel, &jh_t_runFullNovel, &jh_t_runNovelBatch, &jh_t_runFullNovelBatch,
                         &jh_t_runVolume, &jh_t_runVolumeBatch, &jh_t_runChapter, &jh_t_runChapterBatch, &jh_t_runImage,
                         &jh_t_runImageBatch, &jh_t_runScanSources)
