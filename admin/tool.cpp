#include "admin/tool.h"

#include "admin/client.h"
#include "admin/command_line.h"
#include "admin/completion.h"
#include "admin/offline.h"
#include "admin/render.h"
#include "admin/terminal.h"
#include "control/command_pages.h"
#include "control/log_format.h"

#include <algorithm>
#include <iostream>
#include <memory>

namespace epode::admin {

namespace {

constexpr const char* usage =
    "Usage: epodectl [OPTION]… COMMAND [ARGUMENT]…\n"
    "Controls a running Epode server.\n\n"
    "Options, before or after the command:\n"
    "  --socket PATH    the control socket (else EPODE_CONTROL, else the usual places)\n"
    "  --json           one JSON object instead of text\n"
    "  -q, --quiet      no messages; of tables the first column alone\n"
    "  -y, --yes        does not ask before dangerous commands\n"
    "  --timeout TIME   how long to wait for an answer (60s; 0 waits for ever)\n"
    "  -h, --help       help of the command\n"
    "  --version\n\n"
    "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no connection, 4 no answer in "
    "time.\n";

class Cancelled : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class Tool {
public:
    explicit Tool(std::vector<std::string> words) : words_{std::move(words)} {}

    int run() {
        try {
            if (!words_.empty() && words_.front() == "__complete") return complete();
            options_ = takeToolOptions(words_);
            return dispatch();
        } catch (const UsageError& error) {
            return fail(exit_code::usage, {"usage", error.what(), error.hint()});
        } catch (const NoConnection& error) {
            return fail(exit_code::noConnection, {"no-connection", error.what(), ""});
        } catch (const TimedOut& error) {
            return fail(exit_code::timeout, {"timeout", error.what(), ""});
        } catch (const Refused& error) {
            return fail(exit_code::refused, error.error());
        } catch (const std::exception& error) {
            return fail(exit_code::refused, {"failed", error.what(), ""});
        }
    }

private:
    int dispatch() {
        if (options_.version) return print("epodectl " EPODE_VERSION "\n");
        if (words_.empty()) {
            if (options_.help) return help({});
            std::cerr << usage << "\nepodectl help lists the commands.\n";
            return exit_code::usage;
        }
        const auto own = toolCommands();
        if (const auto* command = findCommand(own, words_)) {
            const auto rest = after(*command);
            if (options_.help) return print(helpPage(*command));
            return ownCommand(*command, parseInvocation(*command, rest));
        }
        const auto commands = serverCommands();
        const auto* command = findCommand(commands, words_);
        if (!command) {
            if (options_.help && !commandsBelow(commands, words_).empty()) return help(words_);
            // Whether the name is wrong is for the server to say; it must be there for that.
            if (!client_) throw *failure_;
            throw unknownCommand(allCommands(commands), words_);
        }
        if (options_.help) return print(helpPage(*command));
        return serverCommand(*command, parseInvocation(*command, after(*command)));
    }

    std::vector<std::string> after(const CommandInfo& command) const {
        return {words_.begin() + static_cast<std::ptrdiff_t>(wordCount(command.name)),
                words_.end()};
    }

    // The server's list, or what works without it.
    std::vector<CommandInfo> serverCommands() {
        try {
            client_ = std::make_unique<Client>(socketCandidates(options_.socket), options_.timeout);
            return client_->commands();
        } catch (const NoConnection& error) {
            client_.reset();
            failure_ = error;
            return offlineCommands();
        }
    }

    static std::vector<CommandInfo> allCommands(std::vector<CommandInfo> commands) {
        for (auto& own : toolCommands()) commands.push_back(std::move(own));
        std::sort(commands.begin(), commands.end(),
                  [](const auto& a, const auto& b) { return a.name < b.name; });
        return commands;
    }

    int ownCommand(const CommandInfo& command, const Invocation& invocation) {
        const auto& arguments = invocation.arguments;
        if (command.name == "completion") {
            const auto script = completionScript(std::get<std::string>(arguments.at("shell")));
            if (script.empty()) throw UsageError{"shell is none of bash, zsh, fish."};
            return print(script);
        }
        if (arguments.contains("man") || arguments.contains("markdown")) {
            const auto commands = allCommands(serverCommands());
            return print(arguments.contains("man") ? manualPage(commands, EPODE_VERSION)
                                                   : referencePage(commands));
        }
        const auto about = arguments.find("command");
        if (about == arguments.end()) return help({});
        return help(std::get<std::vector<std::string>>(about->second));
    }

    int help(const std::vector<std::string>& about) {
        const auto commands = allCommands(serverCommands());
        if (options_.json) return print(wire::plainJson(commands) + "\n");
        if (about.empty()) {
            print(std::string{usage} + "\nCommands:\n" + overviewPage(commands));
            if (!client_) {
                std::cerr << "\nThe server's own commands are listed when it runs.\n"
                          << failure_->what() << "\n";
            }
            return exit_code::done;
        }
        if (const auto* command = findCommand(commands, about)) return print(helpPage(*command));
        const auto group = commandsBelow(commands, about);
        if (!group.empty()) return print(overviewPage(group));
        if (!client_) throw *failure_;
        throw unknownCommand(commands, about);
    }

    int serverCommand(const CommandInfo& command, Invocation invocation) {
        if (!client_) return offlineCommand(command, invocation);
        readFiles(command, invocation);
        confirm(command);
        readSecrets(command, invocation);
        const auto result = client_->call(command.name, invocation.arguments,
                                          [this](const Progress& progress) { show(progress); });
        endProgress();
        return show(result);
    }

    int offlineCommand(const CommandInfo& command, const Invocation& invocation) {
        if (command.name == "config sample") return show(askDaemonProgram({"--sample"}));
        if (command.name == "db migrate") return show(askDaemonProgram(migration(invocation)));
        std::vector<std::string> arguments{"--check"};
        if (const auto file = invocation.arguments.find("file");
            file != invocation.arguments.end()) {
            arguments.insert(arguments.end(), {"--config", std::get<std::string>(file->second)});
        }
        return show(askDaemonProgram(arguments));
    }

    static std::vector<std::string> migration(const Invocation& invocation) {
        std::vector<std::string> arguments{"--migrate"};
        if (invocation.arguments.contains("dry-run")) arguments.push_back("--dry-run");
        for (const char* name : {"config", "data"}) {
            const auto given = invocation.arguments.find(name);
            if (given == invocation.arguments.end()) continue;
            arguments.push_back(std::string{"--"} + name);
            arguments.push_back(std::get<std::string>(given->second));
        }
        return arguments;
    }

    static void readFiles(const CommandInfo& command, Invocation& invocation) {
        for (const auto& argument : command.arguments) {
            const auto given = invocation.arguments.find(argument.name);
            if (argument.kind != ArgumentKind::File || given == invocation.arguments.end())
                continue;
            const auto path = std::get<std::string>(given->second);
            given->second = std::vector<std::string>{path, readWholeFile(path)};
        }
    }

    void confirm(const CommandInfo& command) const {
        if (command.danger == Danger::None || options_.yes) return;
        if (!inputIsTerminal()) {
            throw UsageError{command.name +
                             " is dangerous: it needs --yes where nobody can be asked."};
        }
        if (!askYes(command.summary + ".\nGo on?")) throw Cancelled{"Nothing was done."};
    }

    static void readSecrets(const CommandInfo& command, Invocation& invocation) {
        for (const auto& argument : command.arguments) {
            const auto source = invocation.secrets.find(argument.name);
            if (source == invocation.secrets.end()) continue;
            invocation.arguments[argument.name] = readSecret(argument, source->second);
        }
    }

    static std::string readSecret(const Argument& argument, const SecretSource& source) {
        if (source.kind == SecretSource::Kind::File) return readFirstLine(source.path);
        if (source.kind == SecretSource::Kind::StandardInput || !inputIsTerminal()) {
            const auto line = readInputLine();
            if (!line) {
                throw UsageError{"No " + argument.name + " came on standard input.",
                                 "--" + argument.name + "-file FILE reads it from a file."};
            }
            return *line;
        }
        const auto first = askSecret("New " + argument.name + ": ");
        if (!first) throw Cancelled{"Nothing was done."};
        const auto second = askSecret("The same again: ");
        if (!second) throw Cancelled{"Nothing was done."};
        if (*first != *second) throw UsageError{"The two are not the same. Nothing was done."};
        return *first;
    }

    void show(const Progress& progress) {
        if (options_.quiet) return;
        std::string line;
        appendPrintable(line, progress.text);
        if (progress.total > 0) {
            line += " " + std::to_string(progress.done) + "/" + std::to_string(progress.total);
        } else if (progress.done > 0) {
            line += " " + std::to_string(progress.done);
        }
        // On a terminal each step takes the place of the one before.
        if (errorsAreTerminal()) {
            std::cerr << "\r\033[K" << line << std::flush;
            hasProgress_ = true;
        } else {
            std::cerr << line << "\n";
        }
    }

    void endProgress() {
        if (hasProgress_) std::cerr << "\r\033[K" << std::flush;
        hasProgress_ = false;
    }

    int show(const CommandResult& result) {
        if (result.isRefusal()) {
            const bool isUsage =
                result.error().code == "usage" || result.error().code == "unknown-command";
            return fail(isUsage ? exit_code::usage : exit_code::refused, result.error());
        }
        if (options_.json) return print(wire::plainJson(result) + "\n");
        print(render(result, options_.quiet ? Amount::Quiet : Amount::All,
                     outputIsTerminal() ? Emphasis::Terminal : Emphasis::None));
        for (const auto& warning : result.warnings()) {
            std::string line;
            appendPrintable(line, warning);
            std::cerr << "epodectl: " << line << "\n";
        }
        return exit_code::done;
    }

    int fail(int code, const CommandError& error) {
        endProgress();
        if (options_.json) {
            print(wire::plainJson(CommandResult::refusal(error.code, error.message, error.hint)) +
                  "\n");
            return code;
        }
        // The message may have lines, as the list of a file's mistakes; each is made harmless.
        std::string_view rest{error.message};
        std::string text;
        while (!rest.empty()) {
            const auto end = rest.find('\n');
            appendPrintable(text, rest.substr(0, end));
            text += '\n';
            rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
        }
        std::cerr << "epodectl: " << text;
        if (!error.hint.empty()) {
            std::string hint;
            appendPrintable(hint, error.hint);
            std::cerr << hint << "\n";
        }
        return code;
    }

    int complete() {
        words_.erase(words_.begin());
        // The socket may be named in the line that is being typed.
        for (std::size_t i = 0; i + 1 < words_.size(); ++i) {
            if (words_[i] == "--socket") options_.socket = words_[i + 1];
        }
        options_.timeout = std::chrono::seconds{2};
        for (const auto& candidate : candidates(allCommands(serverCommands()), words_)) {
            std::cout << candidate.word << "\t" << candidate.help << "\n";
        }
        return exit_code::done;
    }

    static int print(const std::string& text) {
        std::cout << text << std::flush;
        return std::cout ? exit_code::done : exit_code::refused;
    }

    std::vector<std::string> words_;
    ToolOptions options_;
    std::unique_ptr<Client> client_;
    std::optional<NoConnection> failure_;
    bool hasProgress_ = false;
};

}  // namespace

int run(const std::vector<std::string>& words) { return Tool{words}.run(); }

}  // namespace epode::admin
