#include "app.hpp"
#include "cli/commands.hpp"

int main(int argc, char** argv) {
  return jobhost::cli::run(argc, argv,
                           {.serve = [](const jobhost::settings::Loaded& loaded) { return jobhost::serve(loaded); }});
}
