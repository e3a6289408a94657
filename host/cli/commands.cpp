#include "cli/commands.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <iostream>
#include <span>

#include "cli/admin_commands.hpp"
#include "cli/bench/bench.hpp"
#include "cli/exit_codes.hpp"
#include "cli/job_commands.hpp"
#include "cli/plugin_check_command.hpp"
#include "cli/plugin_file_commands.hpp"
#include "cli/plugin_run_command.hpp"
#include "cli/user_commands.hpp"

namespace jobhost::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit status: 0 done, 1 the job failed, 2 wrong arguments or configuration, 3 no host answers,\n"
    "4 the host refused, 5 the host failed, 70 serve: the database could not be written for good.";

CLI::Validator jobId() {
  return CLI::Validator(
      [](std::string& text) {
        const bool digits =
            !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == std::string::npos;
        return digits && text.front() != '0' ? std::string() : "must be a job's number, is \"" + text + "\"";
      },
      "ID");
}

/// One command's arguments live as long as the parser; `action` runs after parsing.
class Commands {
 public:
  Commands(CLI::App& app, const Hooks& hooks) : app_(app), hooks_(hooks) {
    addServe();
    addSubmit();
    addJobs();
    addLogs();
    addPlugin();
    addKey();
    addUser();
    addConfig();
    addBench();
  }
  [[nodiscard]] int runChosen() const { return action_ ? action_() : kUsage; }

 private:
  template <class Action>
  void on(CLI::App* command, Action action) {
    command->callback([this, action] { action_ = action; });
  }

  static void clientOptions(CLI::App* command, ClientArgs& args) {
    command->add_option("--url", args.url, "The host (or JOBHOST_URL; default http://127.0.0.1:8080)");
    command->add_option("--key", args.key,
                        "API key (or JOBHOST_KEY); seen by other users of this machine: prefer --key-file");
    command->add_option("--key-file", args.key_file,
                        "File with the key (or JOBHOST_KEY_FILE; default data/keys/admin.key)");
    command->add_option("--timeout", args.timeout_s, "Seconds to wait for an answer")->check(CLI::Range(1, 86'400));
    command->add_flag("--json", args.json, "Print the host's answers as JSON, for scripts");
  }

  static void configOptions(CLI::App* command, ConfigArgs& args) {
    command->add_option("--config", args.file, "TOML file; config/jobhost.example.toml has every key");
    command->add_option("--set", args.set, "key=value, over the file and the environment")->allow_extra_args(false);
    command->add_option("--data", args.data, "Folder of database, jobs and keys (data.dir)");
    command->add_option("--plugins", args.plugins, "Folder with plugins; may be given again (plugins.folders)")
        ->allow_extra_args(false);
    command->add_option("--port", args.port, "Port; 0: a free one (server.port)");
    command->add_option("--bind", args.bind, "Address (server.bind)");
    command->add_option("--log-level", args.log_level, "trace, debug, info, warn, error, off (log.level)");
  }

  void addServe() {
    auto* command = app_.add_subcommand("serve", "Run the host until SIGTERM");
    configOptions(command, config_);
    on(command, [this] {
      const auto loaded = loadConfig(config_);
      if (!loaded) return fail(loaded.error()), static_cast<int>(kUsage);
      return hooks_.serve(*loaded);
    });
  }

  void addSubmit() {
    auto* command = app_.add_subcommand("submit", "Make a job and print its id");
    clientOptions(command, submit_.client);
    command->add_option("type", submit_.type, "Job type")->required();
    command->add_option("--params", submit_.params, "JSON object, @file, or - for stdin");
    command->add_option("--param,-p", submit_.param, "name=value; JSON where the value is JSON, else text")
        ->allow_extra_args(false);
    command->add_option("--input,-i", submit_.inputs, "File to upload for the job")->allow_extra_args(false);
    command->add_option("--priority", submit_.priority, "Higher goes first");
    command->add_option("--delay", submit_.delay_s, "Seconds before it may start")->check(CLI::NonNegativeNumber);
    command->add_option("--max-attempts", submit_.max_attempts, "Attempts before it fails");
    command->add_option("--job-timeout", submit_.timeout_s, "Seconds one attempt may take")
        ->check(CLI::NonNegativeNumber);
    command->add_option("--tag", submit_.tags, "Tag; may be given again")->allow_extra_args(false);
    command->add_option("--queue-key", submit_.queue_key, "Jobs with the same key do not run at once");
    command->add_option("--unique-key", submit_.unique_key, "Answers the live job that has it, if any");
    command->add_option("--batch", submit_.batch, "Batch it belongs to");
    command->add_option("--idempotency-key", submit_.idempotency_key, "The same key makes the same job once");
    command->add_flag("--wait,-w", submit_.wait, "Show it until it ends; exit 1 when it fails");
    on(command, [this] { return submit(submit_); });
  }

  void addJobs() {
    const auto add = [&](const char* name, const char* help, int (*action)(const JobArgs&)) {
      auto* command = app_.add_subcommand(name, help);
      clientOptions(command, jobs_.client);
      command->add_option("id", jobs_.ids, "Job id")->required()->check(jobId());
      on(command, [this, action] { return action(jobs_); });
    };
    add("get", "Print a job", &get);
    add("watch", "Show a job until it ends: a live bar on a terminal, lines elsewhere", &watch);
    add("cancel", "Stop a job", &cancel);
    add("retry", "Queue a failed or canceled job again", &retry);

    auto* command = app_.add_subcommand("list", "List jobs, newest first");
    clientOptions(command, list_.client);
    command->add_option("--state", list_.states, "queued, running, waiting, suspended, succeeded, failed, canceled")
        ->allow_extra_args(false);
    command->add_option("--type", list_.types, "Job type")->allow_extra_args(false);
    command->add_option("--tag", list_.tag, "Tag");
    command->add_option("--batch", list_.batch, "Batch");
    command->add_option("--owner", list_.owner, "Who made it");
    command->add_option("--parent", list_.parent, "Parent's id");
    command->add_option("--cursor", list_.cursor, "Where the page before ended");
    command->add_option("--limit,-n", list_.limit, "Jobs on a page")->check(CLI::Range(1, 1000));
    on(command, [this] { return list(list_); });
  }

  void addLogs() {
    auto* command = app_.add_subcommand("logs", "Print a job's log");
    clientOptions(command, logs_.client);
    command->add_option("id", logs_.id, "Job id")->required()->check(jobId());
    command->add_flag("--follow,-f", logs_.follow, "Go on until the job ends");
    on(command, [this] { return logs(logs_); });
  }

  void addPlugin() {
    auto* group = app_.add_subcommand("plugin", "Plugins of the host")->require_subcommand(1);
    auto* list_command = group->add_subcommand("list", "Plugins, their state and job types");
    clientOptions(list_command, plugin_.client);
    on(list_command, [this] { return pluginList(plugin_); });
    const auto one = [&](const char* name, const char* help, int (*action)(const PluginArgs&)) {
      auto* command = group->add_subcommand(name, help);
      clientOptions(command, plugin_.client);
      command->add_option("id", plugin_.id, "Plugin id")->required();
      on(command, [this, action] { return action(plugin_); });
    };
    one("why", "What the host decided about a plugin, and why", &pluginWhy);
    one("retry", "Look at a refused or quarantined plugin again", &pluginRetry);
    one("grant", "Grant a plugin the permissions its manifest asks for (plugin why shows them)", &pluginGrant);
    addPluginCheck(group);
    addPluginRun(group);
    addPluginFiles(group);
  }

  void addPluginFiles(CLI::App* group) {
    auto* create = group->add_subcommand("new", "Write a new plugin that builds with the SDK alone; needs no host");
    create->add_option("name", new_.name, "Of the plugin: small letters, digits, '-' and '_'")->required();
    create->add_option("--type", new_.type, "Of its job")->required();
    create->add_option("--id", new_.id, "Reverse DNS name; default com.example.NAME");
    create->add_option("--lang", new_.language, "cpp or c")->check(CLI::IsMember({"cpp", "c"}));
    create->add_option("--dir", new_.dir, "Folder that gets it; default the working directory");
    create->add_flag("--single-file", new_.single_file, "One source file instead of a project");
    on(create, [this] { return pluginNew(new_); });
    auto* info = group->add_subcommand("info", "What a plugin file says of itself, without loading it; needs no host");
    info->add_option("file", info_.file, "The plugin: a library, a Windows DLL, a .plugin.json; or a folder of them")
        ->required();
    info->add_option("--index", info_.index, "File that remembers what a folder's files said, for the next time");
    info->add_flag("--json", info_.json, "Print its manifest as it is; of a folder one object for all");
    on(info, [this] { return pluginInfo(info_); });
  }

  static void labOptions(CLI::App* command, PluginLabArgs& args) {
    command->add_option("--config", args.config, "The plugin's configuration: JSON object or @file");
    command->add_option("--input,-i", args.inputs, "name=file, given to each job")->allow_extra_args(false);
    command->add_option("--secret", args.secrets, "NAME=value")->allow_extra_args(false);
    command->add_option("--timeout", args.timeout_s, "Seconds one job may take")->check(CLI::Range(1, 86'400));
    command->add_option("--runner", args.runner, "The jobhost-runner program; default: the one beside jobhost");
  }

  void addPluginCheck(CLI::App* group) {
    auto* command = group->add_subcommand("check", "Apply the rules of the SDK to a plugin file; needs no host");
    command->add_option("file", check_.file, "The plugin");
    labOptions(command, check_.lab);
    command->add_option("--level", check_.level, "quick, standard or strict")
        ->check(CLI::IsMember({"quick", "standard", "strict"}));
    command->add_option("--only", check_.only, "Rules or groups, with commas: load,static.relro")
        ->delimiter(',')
        ->allow_extra_args(false);
    command->add_option("--skip", check_.skip, "Rules or groups left out")->delimiter(',')->allow_extra_args(false);
    command->add_option("--seed", check_.seed, "Of the generated params; the same seed makes the same");
    command->add_flag("--in-process", check_.in_process,
                      "Run it in this process, without time-outs, for a debugger; with --only");
    command->add_option("--junit", check_.junit, "Also write a JUnit file");
    command->add_flag("--json", check_.json, "Print the report as JSON");
    command->add_flag("--verbose,-v", check_.verbose, "Also print the rules that are kept");
    command->add_flag("--list", check_.list, "Print the rules and end");
    on(command, [this] { return pluginCheck(check_); });
  }

  void addPluginRun(CLI::App* group) {
    auto* command = group->add_subcommand("run", "Run one job of a plugin file here and now; needs no host");
    command->add_option("file", run_.file, "The plugin")->required();
    labOptions(command, run_.lab);
    command->add_option("--type", run_.type, "Job type; default: the only one");
    command->add_option("--params", run_.params, "JSON object or @file");
    command->add_option("--out", run_.out, "Folder its outputs are copied to (out)");
    command->add_option("--trace", run_.trace, "Write a trace of its calls, for Perfetto or chrome://tracing");
    auto* record = command->add_option("--record", run_.record, "Write down the job and all it was answered");
    command->add_option("--replay", run_.replay, "Run a recorded job again, without its inputs")->excludes(record);
    command->add_flag("--allow-private", run_.allow_private, "Let it fetch from loopback and private addresses");
    auto* gdb = command->add_flag("--gdb", run_.gdb, "Attach gdb before the plugin is loaded");
    command->add_flag("--valgrind", run_.valgrind, "Under valgrind")->excludes(gdb);
    command->add_flag("--watch", run_.watch, "Run it again whenever the file changes")->excludes(gdb);
    on(command, [this] { return pluginRun(run_); });
  }

  void addKey() {
    auto* group = app_.add_subcommand("key", "API keys")->require_subcommand(1);
    auto* create = group->add_subcommand("create", "Make a key; it is printed once");
    clientOptions(create, key_.client);
    create->add_option("name", key_.name, "What the key is for")->required();
    create->add_option("--privilege", key_.privileges, "admin, run_jobs, abort_jobs, delete_jobs, read_jobs, tag_jobs")
        ->required()
        ->allow_extra_args(false);
    create->add_option("--user", key_.user, "Name or id of the user it belongs to; default: the host's own");
    create->add_option("--days", key_.days, "It expires after so many days")->check(CLI::Range(1, 36'500));
    create->add_option("--rate", key_.rate, "Requests a minute")->check(CLI::Range(1, 1'000'000));
    create->add_option("--burst", key_.burst, "Requests at once; default: as many as in a minute")
        ->check(CLI::Range(1, 1'000'000));
    auto* all = create->add_flag("--all-jobs", key_.all_jobs, "A user's key that reaches jobs of others too");
    create->add_flag("--own-jobs", key_.own_jobs, "A host's key that reaches the jobs made with it alone")
        ->excludes(all);
    on(create, [this] { return keyCreate(key_); });
    auto* list_command = group->add_subcommand("list", "Keys and what they may do");
    clientOptions(list_command, key_.client);
    on(list_command, [this] { return keyList(key_); });
    auto* revoke = group->add_subcommand("revoke", "End a key");
    clientOptions(revoke, key_.client);
    revoke->add_option("id", key_.id, "Key id (key_…)")->required();
    on(revoke, [this] { return keyRevoke(key_); });
  }

  void addUser() {
    auto* group = app_.add_subcommand("user", "Users who log in")->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, int (*action)(const UserArgs&)) {
      auto* command = group->add_subcommand(name, help);
      clientOptions(command, user_.client);
      on(command, [this, action] { return action(user_); });
      return command;
    };
    const auto one = [&](const char* name, const char* help, int (*action)(const UserArgs&)) {
      auto* command = add(name, help, action);
      command->add_option("user", user_.user, "Name or id")->required();
      return command;
    };
    const auto is_role = CLI::IsMember({"admin", "user", "viewer"});
    const char* const password = "File whose first line it is; default: ask, or the first line of stdin";
    auto* create = one("create", "Make a user and print the id", &userCreate);
    create->add_option("--role", user_.role, "admin, user or viewer")->check(is_role);
    create->add_option("--tier", user_.tier, "0 and up")->check(CLI::Range(0, 1'000'000));
    create->add_option("--password-file", user_.password_file, password);
    add("list", "Users, by name", &userList);
    one("disable", "End the sessions of a user and refuse the next login; keys rest", &userDisable);
    one("enable", "Let a disabled user in again", &userEnable);
    auto* change = one("change", "Give a user another role or tier", &userChange);
    change->add_option("--role", user_.role, "admin, user or viewer")->check(is_role);
    change->add_option("--tier", user_.tier, "0 and up")->check(CLI::Range(0, 1'000'000));
    one("passwd", "Set a user's password; ends the sessions", &userPasswd)
        ->add_option("--password-file", user_.password_file, password);
    one("revoke", "End the sessions of a user", &userRevoke)->add_flag("--keys", user_.keys, "The API keys too");
    one("delete", "Remove a user with sessions and keys; the jobs stay", &userDelete);
  }

  void addConfig() {
    auto* group = app_.add_subcommand("config", "Configuration")->require_subcommand(1);
    auto* show = group->add_subcommand("show", "Every value as it holds, and where it came from");
    configOptions(show, config_);
    show->add_flag("--json", config_.json, "As JSON");
    on(show, [this] { return configShow(config_); });
    on(group->add_subcommand("docs", "Print docs/configuration.md"), [] { return configDocs(); });
    on(group->add_subcommand("example", "Print config/jobhost.example.toml"), [] { return configExample(); });
  }

  void addBench() {
    auto* command = app_.add_subcommand("bench", "Measure a host over HTTP and print the figures beside their targets");
    clientOptions(command, bench_.client);
    command->add_option("--plugins", bench_.plugins, "Folder with the testkit plugin, for the host the bench starts");
    command->add_option("--scratch", bench_.scratch, "Folder on the disk to measure, for that host's data");
    command->add_option("--set", bench_.set, "key=value for that host")->allow_extra_args(false);
    command->add_option("--only", bench_.only, "idle, start, endings, submit, bulk, drain, sustained, watchers")
        ->delimiter(',')
        ->allow_extra_args(false);
    command->add_option("--seconds", bench_.seconds, "Of each throughput figure")->check(CLI::Range(1, 3600));
    command->add_option("--watchers", bench_.watchers, "Event streams to open")->check(CLI::Range(1, 200'000));
    command->add_option("--queue", bench_.queue, "Jobs to drain")->check(CLI::Range(1000, 100'000'000));
    command->add_flag("--strict", bench_.strict, "Exit 1 when a figure is missed");
    on(command, [this] { return bench::bench(bench_); });
  }

  CLI::App& app_;
  const Hooks& hooks_;
  std::function<int()> action_;
  ConfigArgs config_;
  SubmitArgs submit_;
  JobArgs jobs_;
  ListArgs list_;
  LogsArgs logs_;
  PluginArgs plugin_;
  PluginNewArgs new_;
  PluginInfoArgs info_;
  PluginCheckArgs check_;
  PluginRunArgs run_;
  KeyArgs key_;
  UserArgs user_;
  bench::BenchArgs bench_;
};

/// What to say of a word that stands where a command is due; empty: there is none. CLI11 only says that one is missing.
std::string unknownCommand(const CLI::App& app, std::span<char*> words) {
  const CLI::App* at = &app;
  for (const std::string_view word : words) {
    const auto commands = at->get_subcommands([](const CLI::App*) { return true; });
    if (commands.empty() || word.starts_with('-')) return {};
    const auto known =
        std::find_if(commands.begin(), commands.end(), [&](const auto* c) { return c->get_name() == word; });
    if (known == commands.end()) {
      std::string text = "unknown command \"" + std::string(word) + "\"; known:";
      for (const auto* command : commands) text += " " + command->get_name();
      return text;
    }
    at = *known;
  }
  return {};
}

}  // namespace

int run(int argc, char** argv, const Hooks& hooks) {
  try {
    CLI::App app("jobhost turns shared libraries in a folder into durable job types.", "jobhost");
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("jobhost ") + JOBHOST_VERSION);
    app.footer(kExitCodes);
    Commands commands(app, hooks);
    try {
      app.parse(argc, argv);
    } catch (const CLI::RequiredError& error) {
      const auto unknown = unknownCommand(app, {argv + 1, argv + argc});
      if (unknown.empty()) return app.exit(error) == 0 ? kOk : kUsage;
      std::cerr << "jobhost: " << unknown << '\n';
      return kUsage;
    } catch (const CLI::ParseError& error) {
      return app.exit(error) == 0 ? kOk : kUsage;
    }
    return commands.runChosen();
  } catch (const std::exception& error) {
    std::cerr << "jobhost: " << error.what() << '\n';
    return kHostError;
  }
}

}  // namespace jobhost::cli
