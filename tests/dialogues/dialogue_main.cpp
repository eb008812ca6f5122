// dialogue FILE…: plays dialogues, and tells where one goes otherwise than written.
//
// With --wrong each of them must fail, by what its line "# fails: TEXT" says: so that the checks
// themselves are known to be able to.
#include "core/log.h"
#include "tests/dialogues/dialogue.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace {

using namespace epode;

std::string read(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) throw std::runtime_error{"it cannot be read"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

// What goes wrong, or "".
std::string outcome(const std::string& text) {
    try {
        dialogue::play(dialogue::parse(text));
        return {};
    } catch (const std::exception& problem) {
        return problem.what();
    }
}

bool isRight(const std::string& path) {
    const auto problem = outcome(read(path));
    if (problem.empty()) return true;
    std::printf("%s:%s\n", path.c_str(), problem.c_str());
    return false;
}

bool failsAsSaid(const std::string& path) {
    const auto text = read(path);
    constexpr std::string_view mark = "# fails: ";
    const auto at = text.find(mark);
    const auto wanted = at == text.npos
                            ? ""
                            : text.substr(at + mark.size(), text.find('\n', at) - at - mark.size());
    const auto problem = outcome(text);
    if (!wanted.empty() && problem.find(wanted) != problem.npos) return true;
    std::printf("%s: it should fail with \"%s\", and %s\n", path.c_str(), wanted.c_str(),
                problem.empty() ? "does not fail" : ("says " + problem).c_str());
    return false;
}

}  // namespace

int main(int count, char** arguments) {
    setLogLevel("", LogLevel::Off);  // a dialogue is about what clients see
    bool isGood = count > 1, isWrong = false;
    for (int i = 1; i < count; ++i) {
        const std::string word = arguments[i];
        if (word == "--wrong") {
            isWrong = true;
            continue;
        }
        try {
            isGood &= isWrong ? failsAsSaid(word) : isRight(word);
        } catch (const std::exception& problem) {
            std::printf("%s: %s\n", word.c_str(), problem.what());
            isGood = false;
        }
    }
    if (count < 2) std::puts("dialogue [--wrong] FILE...");
    return isGood ? 0 : 1;
}
