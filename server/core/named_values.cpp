#include "core/named_values.h"

#include <algorithm>

namespace epode {

void writeNamedValues(std::string& out, std::string_view name,
                      const std::vector<std::string>& values) {
    for (const auto& value : values) {
        out.append(name).append(1, ' ');
        for (const char c : value) {
            if (c == '\\' || c == '\n') out += '\\';
            out += c == '\n' ? 'n' : c;
        }
        out += '\n';
    }
}

std::map<std::string, std::vector<std::string>, std::less<>> readNamedValues(
    std::string_view text) {
    std::map<std::string, std::vector<std::string>, std::less<>> read;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto space = line.find(' ');
        if (space == std::string_view::npos) continue;
        std::string value;
        for (std::size_t at = space + 1; at < line.size(); ++at) {
            const bool isEscape = line[at] == '\\' && at + 1 < line.size();
            if (isEscape) ++at;
            value += isEscape && line[at] == 'n' ? '\n' : line[at];
        }
        read[std::string{line.substr(0, space)}].push_back(std::move(value));
    }
    return read;
}

}  // namespace epode
