#include "admin/offline.h"

#include "control/schema_command.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace epode::admin {

namespace {

// Beside this program as in a build folder, in the folder for daemons as installed, else by PATH.
std::string daemonProgram() {
    if (const char* given = std::getenv("EPODE_DAEMON"); given && *given) return given;
    std::error_code problem;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", problem).parent_path();
    for (const auto& candidate : {own / "epoded", own.parent_path() / "sbin" / "epoded"}) {
        if (!problem && access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    return "epoded";
}

}  // namespace

std::vector<CommandInfo> toolCommands() {
    std::vector<CommandInfo> commands;
    commands.push_back({.name = "completion",
                        .summary = "Writes the completion script of a shell",
                        .arguments = {{.name = "shell",
                                       .kind = ArgumentKind::Choice,
                                       .choices = {"bash", "zsh", "fish"},
                                       .help = "The shell."}},
                        .examples = {{"completion bash > /etc/bash_completion.d/epodectl", ""}}});
    commands.push_back({.name = "help",
                        .summary = "Explains a command, or lists all",
                        .arguments = {{.name = "command",
                                       .presence = Presence::Optional,
                                       .repeats = Repeats::Yes,
                                       .help = "Its name, or the first word of several."},
                                      {.name = "man",
                                       .kind = ArgumentKind::Flag,
                                       .help = "Writes the manual page of the tool."},
                                      {.name = "markdown",
                                       .kind = ArgumentKind::Flag,
                                       .help = "Writes the reference of all commands."}}});
    return commands;
}

std::vector<CommandInfo> offlineCommands() {
    std::vector<CommandInfo> commands;
    commands.push_back(
        {.name = "config check",
         .summary = "Tells all mistakes of a configuration",
         .arguments = {{.name = "file",
                        .kind = ArgumentKind::File,
                        .presence = Presence::Optional,
                        .help = "The file to check; without it the server's own."}}});
    commands.push_back(
        {.name = "config sample", .summary = "Writes a configuration with all options, explained"});
    commands.push_back(schemaCommandInfo());
    return commands;
}

CommandResult askDaemonProgram(const std::vector<std::string>& arguments) {
    auto program = daemonProgram();
    int pipeEnds[2];
    if (pipe(pipeEnds) != 0) return CommandResult::refusal("failed", "No pipe can be made.");
    auto copies = arguments;
    std::vector<char*> words{program.data()};
    for (auto& argument : copies) words.push_back(argument.data());
    words.push_back(nullptr);

    const auto child = fork();
    if (child == 0) {
        dup2(pipeEnds[1], STDOUT_FILENO);
        dup2(pipeEnds[1], STDERR_FILENO);
        close(pipeEnds[0]);
        close(pipeEnds[1]);
        execvp(program.c_str(), words.data());
        _exit(127);
    }
    close(pipeEnds[1]);
    std::string output;
    char bytes[4096];
    for (;;) {
        const auto got = read(pipeEnds[0], bytes, sizeof bytes);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        output.append(bytes, static_cast<std::size_t>(got));
    }
    close(pipeEnds[0]);
    int status = -1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return CommandResult::message(output);
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1) {
        constexpr std::string_view prefix = "epoded: ";
        if (output.starts_with(prefix)) output.erase(0, prefix.size());
        while (output.ends_with('\n')) output.pop_back();
        return CommandResult::refusal("invalid", output);
    }
    return CommandResult::refusal(
        "failed",
        "The server isn't running, and the program " + program + " could not be asked instead.",
        "Start the server, or name its program by EPODE_DAEMON.");
}

}  // namespace epode::admin
