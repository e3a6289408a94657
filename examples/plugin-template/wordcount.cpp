#include <jobhost/plugin.hpp>
#include <jobhost_manifest.h>  // made from plugin.json

#include <sstream>

JOBHOST_MANIFEST(JOBHOST_MANIFEST_JSON);

static jobhost::Json wordcount(jobhost::Job& job) {
  std::istringstream in(job.params()["text"].str());
  std::size_t words = 0;
  for (std::string word; in >> word;) {
    if (++words % 1000 == 0) job.progress(static_cast<double>(words));  // also where the job notices a cancel
  }
  job.output("report.txt", "text/plain") << words << " words\n";  // kept when this function returns
  return {{"words", words}};                                      // a thrown exception would be the job's error
}
JOBHOST_JOB("wordcount", wordcount);

JOBHOST_PLUGIN(&jh_t_wordcount)
