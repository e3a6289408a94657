#include <jobhost/plugin.hpp>

#include "jobhost_manifest.h"
#include "metadata/job_comicinfo.hpp"

JOBHOST_MANIFEST(JOBHOST_MANIFEST_JSON);

using jobhost::metadata::runComicinfo;

JOBHOST_JOB("comicinfo", runComicinfo);
JOBHOST_PLUGIN(&jh_t_runComicinfo)
