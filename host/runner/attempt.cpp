#include "runner/attempt.hpp"

#include <unistd.h>

namespace jobhost::runner {

Attempt::Attempt(std::uint32_t slot_number, std::string run_payload, const wire::Welcome& welcome)
    : slot(slot_number),
      payload(std::move(run_payload)),
      lines(welcome.log_lines_per_s, welcome.log_burst),
      files(welcome.work_dir, slot_number, {welcome.max_output_bytes, welcome.max_outputs}) {
  valid = wire::decode(payload, run);
  files.setInputs(run.inputs);
}

Attempt::~Attempt() {
  if (cancel_event >= 0) close(cancel_event);
}

}  // namespace jobhost::runner
