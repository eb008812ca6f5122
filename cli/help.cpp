#include "cli/help.h"

#include "cli/invocation.h"
#include "core/roff.h"

#include <algorithm>
#include <sstream>

namespace epode::cli {

namespace {

constexpr auto exitCodes =
    "0 done, 1 refused, 2 usage, 3 no connection, 4 timed out, 5 partly done";

std::string lineOf(const Verb& verb) {
    std::string line = "epode " + std::string{verb.name} + " [options]";
    for (const Argument& argument : verb.arguments) {
        const std::string name{argument.name};
        line += argument.count == Argument::Count::One        ? " " + name
                : argument.count == Argument::Count::Optional ? " [" + name + "]"
                                                              : " [" + name + "...]";
    }
    return line;
}

std::string nameOf(const Option& option) {
    std::string name = option.letter ? std::string{"-"} + option.letter + ", " : std::string{};
    name += "--" + std::string{option.name};
    if (!option.value.empty()) name += " " + std::string{option.value};
    return name;
}

void printOptions(std::ostream& out, const char* title, const std::vector<Option>& options) {
    if (options.empty()) return;
    std::size_t width = 0;
    for (const Option& option : options) width = std::max(width, nameOf(option).size());
    out << '\n' << title << ":\n";
    for (const Option& option : options) {
        const auto name = nameOf(option);
        out << "  " << name << std::string(width - name.size() + 2, ' ') << option.help << '\n';
    }
}

// A cell of a Markdown table.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

void tableOfOptions(std::ostream& out, const std::vector<Option>& options) {
    out << "| option | |\n| --- | --- |\n";
    for (const Option& option : options) {
        out << "| `" << nameOf(option) << "` | " << cell(option.help);
        if (option.times == Option::Times::Repeated) out << " (may be repeated)";
        out << " |\n";
    }
    out << '\n';
}

void sectionOf(std::ostream& out, const Verb& verb) {
    out << "## epode " << verb.name << "\n\n" << verb.summary << ".\n\n";
    out << "```\n" << lineOf(verb) << "\n```\n\n";
    if (!verb.description.empty()) out << verb.description << "\n\n";
    if (!verb.arguments.empty()) {
        out << "| argument | |\n| --- | --- |\n";
        for (const Argument& argument : verb.arguments) {
            out << "| `" << argument.name << "` | " << cell(argument.help) << " |\n";
        }
        out << '\n';
    }
    if (!verb.options.empty()) tableOfOptions(out, verb.options);
    if (verb.examples.empty()) return;
    out << "```sh\n";
    for (const Example& example : verb.examples) {
        out << "# " << example.says << '\n' << example.line << '\n';
    }
    out << "```\n\n";
}

void listOptions(std::ostream& out, const std::vector<Option>& options) {
    for (const Option& option : options) {
        out << ".TP\n\\fB" << roff(nameOf(option)) << "\\fR\n" << roff(option.help);
        if (option.times == Option::Times::Repeated) out << " (may be repeated)";
        out << ".\n";
    }
}

}  // namespace

std::string overview() {
    std::ostringstream out;
    out << "epode: chat from the command line (XMPP)\n\nCommands:\n";
    std::size_t width = 0;
    for (const Verb* verb : verbs()) width = std::max(width, verb->name.size());
    for (const Verb* verb : verbs()) {
        out << "  epode " << verb->name << std::string(width - verb->name.size() + 2, ' ')
            << verb->summary << '\n';
    }
    out << "\nepode help COMMAND explains one of them. Exit codes: " << exitCodes << ".\n";
    return out.str();
}

std::string helpOf(const Verb& verb) {
    std::ostringstream out;
    out << lineOf(verb) << "\n\n" << verb.summary << ".\n";
    if (!verb.description.empty()) out << '\n' << verb.description << '\n';
    if (!verb.arguments.empty()) {
        std::size_t width = 0;
        for (const Argument& argument : verb.arguments) {
            width = std::max(width, argument.name.size());
        }
        out << "\nArguments:\n";
        for (const Argument& argument : verb.arguments) {
            out << "  " << argument.name << std::string(width - argument.name.size() + 2, ' ')
                << argument.help << '\n';
        }
    }
    printOptions(out, "Options", verb.options);
    if (verb.reach == Verb::Reach::Server) {
        printOptions(out, "Account and connection", connectionOptions());
    }
    printOptions(out, "Always", commonOptions());
    if (!verb.examples.empty()) out << "\nExamples:\n";
    for (const Example& example : verb.examples) {
        out << "  # " << example.says << "\n  " << example.line << '\n';
    }
    out << "\nExit codes: " << exitCodes << ".\n";
    return out.str();
}

std::string referencePage() {
    std::ostringstream out;
    for (const Verb* verb : verbs()) sectionOf(out, *verb);
    out << "## Options of every command\n\n";
    tableOfOptions(out, commonOptions());
    out << "## Options of the commands that talk to a server\n\n";
    tableOfOptions(out, connectionOptions());
    return out.str();
}

std::string manualPage() {
    std::ostringstream out;
    out << ".\\\" Made by `epode help --man` from the declarations in the code.\n"
        << ".TH EPODE 1 \"\" \"Epode " << roff(EPODE_VERSION) << "\" \"User commands\"\n"
        << ".SH NAME\nepode \\- chat from the command line (XMPP)\n"
        << ".SH SYNOPSIS\n.B epode\n\\fICOMMAND\\fR [\\fIOPTION\\fR]... "
           "[\\fIARGUMENT\\fR]...\n"
        << ".SH DESCRIPTION\n"
        << roff("Sends, listens and chats over any XMPP server, for people at a terminal and for "
                "scripts. The accounts are in a file, which epode account add writes.\n")
        << ".SH COMMANDS\n";
    for (const Verb* verb : verbs()) {
        out << ".SS " << roff(lineOf(*verb)) << '\n' << roff(verb->summary) << ".\n";
        if (!verb->description.empty()) out << ".PP\n" << roff(verb->description) << '\n';
        for (const Argument& argument : verb->arguments) {
            out << ".TP\n\\fI" << roff(argument.name) << "\\fR\n" << roff(argument.help) << ".\n";
        }
        listOptions(out, verb->options);
        for (const Example& example : verb->examples) {
            out << ".PP\n"
                << roff(example.says) << ":\n.PP\n.EX\n  " << roff(example.line) << "\n.EE\n";
        }
    }
    out << ".SH OPTIONS OF EVERY COMMAND\n";
    listOptions(out, commonOptions());
    out << ".SH OPTIONS OF THE COMMANDS THAT TALK TO A SERVER\n";
    listOptions(out, connectionOptions());
    out << ".SH FILES\n.TP\n.I ~/.config/epode/accounts.toml\nThe accounts.\n"
        << ".SH ENVIRONMENT\n.TP\n.B EPODE_ACCOUNT\nThe name of the account to take.\n"
        << ".SH EXIT STATUS\n" << roff(exitCodes) << ".\n"
        << ".SH SEE ALSO\n.BR epoded (8),\n.BR epodectl (1)\n";
    return out.str();
}

}  // namespace epode::cli
