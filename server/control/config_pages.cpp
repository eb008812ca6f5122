#include "control/config_pages.h"

#include <algorithm>
#include <map>

namespace epode {

namespace {

// "limits.login" of "limits.login.time"; empty for options outside of sections.
std::string sectionOf(std::string_view key) {
    const auto dot = key.rfind('.');
    return dot == std::string_view::npos ? "" : std::string{key.substr(0, dot)};
}

std::string_view nameOf(std::string_view key) { return key.substr(key.rfind('.') + 1); }

std::map<std::string, std::vector<const OptionRef*>> bySection(const OptionList& options) {
    std::map<std::string, std::vector<const OptionRef*>> sections;
    for (const auto& option : options) sections[sectionOf(option.key())].push_back(&option);
    for (auto& [section, members] : sections) {
        std::sort(members.begin(), members.end(),
                  [](const auto* a, const auto* b) { return a->key() < b->key(); });
    }
    return sections;
}

// What a value may be: "one of debug, info" or "size, 1 KiB to 1 MiB".
std::string allowed(const OptionRef& option) {
    std::string text;
    for (const auto choice : option.choices()) {
        text += (text.empty() ? "one of " : ", ") + std::string{choice};
    }
    if (text.empty()) text = option.typeText();
    if (!option.rangeText().empty()) text += ", " + option.rangeText();
    return text;
}

std::string conditions(const OptionRef& option) {
    std::string text;
    if (option.scope() == Scope::Server) text += "for the whole server";
    if (option.scope() == Scope::Component) text += "for each component";
    if (option.takes() == Takes::AtRestart) {
        text += (text.empty() ? "" : "; ") + std::string{"takes effect at a restart"};
    }
    return text;
}

void writeComment(std::string& page, std::string_view text) {
    constexpr std::size_t width = 90;
    std::string line;
    while (!text.empty()) {
        const auto space = text.find(' ');
        const auto word = text.substr(0, space);
        if (!line.empty() && line.size() + 1 + word.size() > width) {
            page += "# " + line + "\n";
            line.clear();
        }
        line += (line.empty() ? "" : " ") + std::string{word};
        text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
    }
    if (!line.empty()) page += "# " + line + "\n";
}

// A bar would end the cell of a table.
std::string markdownCell(std::string_view text) {
    std::string cell;
    for (const char letter : text) cell += letter == '|' ? "\\|" : std::string(1, letter);
    return cell;
}

}  // namespace

std::vector<const OptionRef*> inOrder(const OptionList& options) {
    std::vector<const OptionRef*> all;
    for (const auto& [section, members] : bySection(options))
        all.insert(all.end(), members.begin(), members.end());
    return all;
}

std::string allowedText(const OptionRef& option) {
    auto text = allowed(option);
    if (const auto more = conditions(option); !more.empty()) text += "; " + more;
    return text;
}

std::string renderSample(const OptionList& options) {
    std::string page =
        "# The configuration of Epode. Every option is optional and stands here with its default.\n"
        "# `epodectl config check` tells all mistakes at once; `epodectl reload` applies a "
        "change.\n"
        "#\n"
        "# Domains that are served (without any: localhost). An option below a host holds for it\n"
        "# alone.\n"
        "#[host.\"capulet.example\"]\n"
        "#\n"
        "# Gateways and bots that connect by XEP-0114, each with a secret or secret_file. Options of\n"
        "# [component] stand here by their own name, and hold for this component alone.\n"
        "#[component.\"irc.capulet.example\"]\n";
    for (const auto& [section, members] : bySection(options)) {
        page += "\n";
        if (!section.empty()) page += "[" + section + "]\n";
        bool isFirst = true;
        for (const auto* option : members) {
            if (!isFirst) page += "\n";
            isFirst = false;
            writeComment(page, option->help());
            writeComment(page, "(" + allowedText(*option) + ")");
            page +=
                "#" + std::string{nameOf(option->key())} + " = " + option->fallbackToml() + "\n";
        }
    }
    return page;
}

std::string renderReference(const OptionList& options) {
    std::string page =
        "# Options\n\n"
        "Made from the declarations in the code. Every option is optional. Unless it is *for the "
        "whole\n"
        "server*, a virtual host may have its own value: below `[host.\"capulet.example\"]`, by "
        "the same\n"
        "name. A change takes effect with `epodectl reload` (or SIGHUP) unless a restart is "
        "named.\n";
    for (const auto& [section, members] : bySection(options)) {
        page += section.empty() ? "\n## Outside of sections\n\n" : "\n## [" + section + "]\n\n";
        page += "| Option | Value | Default | Meaning |\n| --- | --- | --- | --- |\n";
        for (const auto* option : members) {
            auto meaning = std::string{option->help()};
            if (const auto more = conditions(*option); !more.empty())
                meaning += " *(" + more + ")*";
            page += "| `" + std::string{option->key()} + "` | " + markdownCell(allowed(*option)) +
                    " | `" + markdownCell(option->fallbackToml()) + "` | " + markdownCell(meaning) +
                    " |\n";
        }
    }
    return page;
}

}  // namespace epode
