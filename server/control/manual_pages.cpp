#include "control/manual_pages.h"

#include "control/config_pages.h"
#include "control/daemon.h"
#include "core/roff.h"

namespace epode {

namespace {

std::string header(std::string_view name, std::string_view section, const std::string& version,
                   std::string_view title) {
    return ".\\\" Made from the declarations in the code; `ninja reference` writes it anew.\n.TH " +
           std::string{name} + " " + std::string{section} + " \"\" \"Epode " + roff(version) +
           "\" \"" + std::string{title} + "\"\n";
}

std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }

}  // namespace

std::string daemonManual(const std::string& version) {
    std::string page = header("EPODED", "8", version, "System administration") +
                       ".SH NAME\nepoded \\- XMPP chat server\n"
                       ".SH SYNOPSIS\n.B epoded\n[\\fIOPTION\\fR]...\n"
                       ".SH DESCRIPTION\n" +
                       roff(
                           "Serves XMPP, in the foreground, until it gets SIGTERM or SIGINT. A "
                           "stop saves the sessions of clients, which resume them at the next "
                           "start. SIGHUP reloads the configuration and opens a log file anew; "
                           "epodectl controls the server while it runs.\n\nIt tells systemd when "
                           "it serves, reloads and stops, and answers its watchdog.\n") +
                       ".SH OPTIONS\n";
    for (const auto& option : startOptions()) {
        page += ".TP\n";
        if (option.letter) page += bold(std::string{"-"} + option.letter) + ", ";
        page += bold("--" + std::string{option.name});
        if (!option.value.empty()) page += " \\fI" + roff(option.value) + "\\fR";
        page += "\n" + roff(option.help) + ".\n";
    }
    page += ".SH FILES\n.TP\n.I " + roff(defaultConfigFile) +
            "\nThe configuration; without it every option has its default. See epode.toml(5).\n"
            ".TP\n.I /var/lib/epode\nThe data folder, as the systemd unit gives it: the database, "
            "certificates, the salt secret.\n"
            ".TP\n.I /run/epode/control.sock\nThe control socket, as the systemd unit gives it.\n"
            ".SH ENVIRONMENT\n.TP\n.B EPODE_PLUGINS\nThe folder of the plugins, instead of the one "
            "that was installed or built with the server.\n"
            ".TP\n.BR STATE_DIRECTORY \", \" RUNTIME_DIRECTORY \", \" NOTIFY_SOCKET \", \" "
            "WATCHDOG_USEC\nAs systemd sets them.\n"
            ".SH EXIT STATUS\n.TP\n0\nStopped in order, or did what was asked.\n.TP\n1\nCould not "
            "start; the reason is on standard error.\n.TP\n2\nWrong usage.\n"
            ".SH SEE ALSO\n.BR epodectl (1),\n.BR epode.toml (5),\n.BR epode (1)\n";
    return page;
}

std::string configManual(const OptionList& options, const std::string& version) {
    std::string page =
        header("EPODE.TOML", "5", version, "File formats") +
        ".SH NAME\nepode.toml \\- configuration of the Epode chat server\n.SH DESCRIPTION\n" +
        roff("A file in TOML, by default " + std::string{defaultConfigFile} +
             ". Every option is optional. The domains that are served are sections of their own; "
             "without any it is localhost. Unless an option is for the whole server, a host may "
             "have its own value, below its section by the same name:\n") +
        ".PP\n.EX\n" +
        roff(
            "[archive]\nexpire_after = \"365 d\"\n\n[host.\"capulet.example\"]\n"
            "[host.\"capulet.example\".archive]\ndefault = \"roster\"\n") +
        ".EE\n.PP\n" +
        roff(
            "epodectl config check tells all mistakes at once, epodectl reload (or SIGHUP) applies "
            "a change, and epoded --sample writes a file with all options, explained. Sizes are "
            "written as \"64 KiB\", durations as \"10 min\" (ms, s, min, h, d).\n");
    std::string section = "\n";
    for (const auto* option : inOrder(options)) {
        const auto key = option->key();
        const auto dot = key.rfind('.');
        const std::string own{dot == std::string_view::npos ? "" : key.substr(0, dot)};
        if (own != section) {
            page += own.empty() ? ".SH OPTIONS OUTSIDE OF SECTIONS\n" : ".SH [" + roff(own) + "]\n";
            section = own;
        }
        page += ".TP\n" + bold(key.substr(dot + 1)) + " = " + roff(option->fallbackToml()) + "\n" +
                roff(option->help()) + "\n" + roff("(" + allowedText(*option) + ")") + "\n";
    }
    page += ".SH SEE ALSO\n.BR epoded (8),\n.BR epodectl (1)\n";
    return page;
}

}  // namespace epode
