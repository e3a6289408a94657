#include <jobhost/plugin.hpp>

#include "artifact/jobs.hpp"
#include "jobhost_manifest.h"

JOBHOST_MANIFEST(JOBHOST_MANIFEST_JSON);

using jobhost::artifact::runArtifact;
using jobhost::artifact::runArtifactBatch;

JOBHOST_JOB_FLAGS("artifact", runArtifact, JH_TYPE_IDEMPOTENT);
JOBHOST_JOB_FLAGS("artifact_batch", runArtifactBatch, JH_TYPE_IDEMPOTENT);
JOBHOST_PLUGIN(&jh_t_runArtifact, &jh_t_runArtifactBatch)
