#include "control/command_pages.h"

#include "core/roff.h"

#include <algorithm>
#include <cstdio>

namespace epode {

namespace {

std::string upper(std::string_view text) {
    std::string result;
    for (const char letter : text) {
        result += letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    }
    return result;
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : std::string{separator}) + word;
    return text;
}

// What stands for the value: ADDRESS, or the choices themselves.
std::string placeholder(const Argument& argument) {
    if (argument.kind == ArgumentKind::Choice) return joined(argument.choices, "|");
    if (!argument.isOption()) return upper(argument.name);
    switch (argument.kind) {
        case ArgumentKind::Jid:
            return "ADDRESS";
        case ArgumentKind::Host:
            return "DOMAIN";
        case ArgumentKind::Integer:
            return "N";
        default:
            return upper(toText(argument.kind));
    }
}

// As it is typed: "ADDRESS", "--reason TEXT", "--all", "--password-file FILE".
std::string form(const Argument& argument) {
    if (argument.kind == ArgumentKind::Flag) return "--" + argument.name;
    if (argument.kind == ArgumentKind::Secret) return "--" + argument.name + "-file FILE";
    const auto dots = argument.repeats == Repeats::Yes ? "…" : "";
    if (argument.isOption()) return "--" + argument.name + " " + placeholder(argument) + dots;
    return placeholder(argument) + dots;
}

std::string helpOf(const Argument& argument) {
    std::string help = argument.help;
    if (argument.kind == ArgumentKind::Integer && argument.most != INT64_MAX) {
        help +=
            " (" + std::to_string(argument.least) + " to " + std::to_string(argument.most) + ")";
    }
    if (argument.kind == ArgumentKind::Secret) {
        help += argument.isRequired()
                    ? " Asked for when the option is missing; - reads standard input."
                    : " --" + argument.name + " asks for it; - reads standard input.";
    }
    return help;
}

// Columns count characters, not bytes.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char letter) {
        return (static_cast<unsigned char>(letter) & 0xc0) != 0x80;
    }));
}

std::string padded(std::string text, std::size_t to) {
    const auto now = width(text);
    if (now < to) text.append(to - now, ' ');
    return text;
}

// Breaks at blanks; `indent` stands before each line but the first.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t columns) {
    std::string page, line;
    while (!text.empty()) {
        const auto blank = text.find(' ');
        const auto word = text.substr(0, blank);
        if (!line.empty() && indent + width(line) + 1 + width(word) > columns) {
            page += line + "\n" + std::string(indent, ' ');
            line.clear();
        }
        line += (line.empty() ? "" : " ") + std::string{word};
        text = blank == std::string_view::npos ? std::string_view{} : text.substr(blank + 1);
    }
    return page + line;
}

constexpr std::size_t pageColumns = 80;

std::string firstWord(const std::string& name) { return name.substr(0, name.find(' ')); }

std::string summaryOf(const CommandInfo& command) {
    return command.summary + (command.danger == Danger::Dangerous ? " (asks first)" : "");
}

std::string markdownCell(std::string_view text) {
    std::string cell;
    for (const char letter : text) cell += letter == '|' ? "\\|" : std::string(1, letter);
    return cell;
}

}  // namespace

std::string usageLine(const CommandInfo& command) {
    std::string line = "epodectl " + command.name;
    const auto add = [&line](const Argument& argument) {
        const bool isOptional = !argument.isRequired() || argument.kind == ArgumentKind::Secret;
        line += isOptional ? " [" + form(argument) + "]" : " " + form(argument);
    };
    for (const auto& argument : command.arguments) {
        if (!argument.isOption()) add(argument);
    }
    for (const auto& argument : command.arguments) {
        if (argument.isOption()) add(argument);
    }
    return line;
}

std::string helpPage(const CommandInfo& command) {
    std::string page = summaryOf(command) + ".\n\n" +
                       wrapped("Usage: " + usageLine(command), 7, pageColumns) + "\n";
    if (!command.details.empty()) page += "\n" + wrapped(command.details, 0, pageColumns) + "\n";
    if (!command.plugin.empty()) page += "\nA command of the plugin " + command.plugin + ".\n";
    std::size_t column = 0;
    for (const auto& argument : command.arguments) column = std::max(column, width(form(argument)));
    column = std::min<std::size_t>(column, 28);
    if (!command.arguments.empty()) page += "\n";
    for (const auto& argument : command.arguments) {
        page += "  " + padded(form(argument), column) + "  " +
                wrapped(helpOf(argument), column + 4, pageColumns) + "\n";
    }
    if (!command.examples.empty()) page += "\nExamples:\n";
    for (const auto& example : command.examples) {
        page += "  epodectl " + example.line + "\n";
        if (!example.help.empty()) page += "      " + wrapped(example.help, 6, pageColumns) + "\n";
    }
    return page;
}

std::string overviewPage(const std::vector<CommandInfo>& commands) {
    std::size_t column = 0;
    for (const auto& command : commands) column = std::max(column, width(command.name));
    std::string page, group;
    for (const auto& command : commands) {
        // Single-word commands stand together.
        const auto first =
            command.name.find(' ') == std::string::npos ? "" : firstWord(command.name);
        if (!page.empty() && first != group) page += "\n";
        group = first;
        page += "  " + padded(command.name, column) + "  " +
                wrapped(summaryOf(command), column + 4, pageColumns) + "\n";
    }
    return page;
}

std::string manualPage(const std::vector<CommandInfo>& commands, const std::string& version) {
    std::string page =
        ".\\\" Made from the declarations in the code; `ninja reference` writes it anew.\n"
        ".TH EPODECTL 1 \"\" \"Epode " +
        roff(version) +
        "\" \"User commands\"\n"
        ".SH NAME\nepodectl \\- controls a running Epode server\n"
        ".SH SYNOPSIS\n.B epodectl\n[\\fIOPTION\\fR]... \\fICOMMAND\\fR "
        "[\\fIARGUMENT\\fR]...\n"
        ".SH DESCRIPTION\nTalks to the server over its control socket. Its commands are "
        "those of the server that runs, plugins' commands among them. \\fBepodectl help\\fR "
        "\\fICOMMAND\\fR explains one, \\fBepodectl completion\\fR \\fISHELL\\fR writes the "
        "completion of a shell.\n"
        ".SH OPTIONS\n"
        ".TP\n\\fB\\-\\-socket\\fR \\fIPATH\\fR\nThe control socket. Otherwise "
        "\\fBEPODE_CONTROL\\fR of the environment, then the usual places.\n"
        ".TP\n\\fB\\-\\-json\\fR\nWrites one JSON object instead of text.\n"
        ".TP\n\\fB\\-\\-quiet\\fR\nWrites errors alone.\n"
        ".TP\n\\fB\\-\\-yes\\fR\nDoes not ask before dangerous commands.\n"
        ".TP\n\\fB\\-\\-timeout\\fR \\fIDURATION\\fR\nHow long to wait for an answer; "
        "without it 60 s from the last sign of progress.\n"
        ".SH COMMANDS\n";
    for (const auto& command : commands) {
        page += ".SS \"" + roff(usageLine(command).substr(std::string_view{"epodectl "}.size())) +
                "\"\n";
        page += roff(summaryOf(command)) + ".\n";
        if (!command.details.empty()) page += ".PP\n" + roff(command.details) + "\n";
        for (const auto& argument : command.arguments) {
            page += ".TP\n\\fB" + roff(form(argument)) + "\\fR\n" + roff(helpOf(argument)) + "\n";
        }
        for (const auto& example : command.examples) {
            page +=
                ".PP\n.EX\nepodectl " + roff(example.line) + "\n.EE\n" + roff(example.help) + "\n";
        }
    }
    page +=
        ".SH EXIT STATUS\n"
        ".TP\n0\nDone.\n.TP\n1\nRefused or failed.\n.TP\n2\nWrong usage.\n"
        ".TP\n3\nNo connection to the server.\n.TP\n4\nNo answer in time.\n"
        ".SH SEE ALSO\n.BR epoded (8),\n.BR epode.toml (5)\n";
    return page;
}

std::string referencePage(const std::vector<CommandInfo>& commands) {
    std::string page = "# Commands\n\nMade from the declarations in the code.\n";
    for (const auto& command : commands) {
        page += "\n## " + command.name + "\n\n" + summaryOf(command) + ".\n\n```\n" +
                usageLine(command) + "\n```\n";
        if (!command.plugin.empty())
            page += "\nOf the plugin [" + command.plugin + "](../../plugins/" + command.plugin +
                    "/README.md).\n";
        if (!command.details.empty()) page += "\n" + command.details + "\n";
        if (!command.arguments.empty()) page += "\n| Argument | Meaning |\n| --- | --- |\n";
        for (const auto& argument : command.arguments) {
            page += "| `" + markdownCell(form(argument)) + "` | " + markdownCell(helpOf(argument)) +
                    " |\n";
        }
        for (const auto& example : command.examples) {
            page += "\n`epodectl " + example.line + "`" +
                    (example.help.empty() ? "" : ": " + example.help) + "\n";
        }
    }
    return page;
}

}  // namespace epode
