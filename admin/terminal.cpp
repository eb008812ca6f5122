#include "admin/terminal.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace epode::admin {

namespace {

constexpr char controlC = 3;

// Echo is off for as long as this lives. Signals of the keyboard are, too, so that ^C cannot leave
// the terminal mute: it ends the line instead.
class Mute {
public:
    explicit Mute(int terminal) : terminal_{terminal} {
        tcgetattr(terminal_, &before_);
        auto quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
        quiet.c_cc[VEOL] = controlC;
        tcsetattr(terminal_, TCSAFLUSH, &quiet);
    }
    ~Mute() { tcsetattr(terminal_, TCSAFLUSH, &before_); }
    Mute(const Mute&) = delete;
    Mute& operator=(const Mute&) = delete;

private:
    int terminal_;
    termios before_{};
};

void say(int terminal, const std::string& text) {
    [[maybe_unused]] const auto wrote = write(terminal, text.data(), text.size());
}

}  // namespace

bool inputIsTerminal() { return isatty(STDIN_FILENO) == 1; }
bool outputIsTerminal() { return isatty(STDOUT_FILENO) == 1; }
bool errorsAreTerminal() { return isatty(STDERR_FILENO) == 1; }

std::optional<std::string> askSecret(const std::string& question) {
    const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0) return std::nullopt;
    std::string line;
    bool isCancelled = false;
    {
        const Mute mute{terminal};
        say(terminal, question);
        for (;;) {
            char letter = 0;
            const auto got = read(terminal, &letter, 1);
            if (got < 0 && errno == EINTR) continue;
            isCancelled = got <= 0 || letter == controlC;
            if (isCancelled || letter == '\n') break;
            line += letter;
        }
        say(terminal, "\n");
    }
    close(terminal);
    return isCancelled ? std::nullopt : std::optional{line};
}

bool askYes(const std::string& question) {
    std::cerr << question << " [y/N] " << std::flush;
    const auto answer = readInputLine();
    return answer && (*answer == "y" || *answer == "Y" || *answer == "yes");
}

std::optional<std::string> readInputLine() {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return line;
}

std::string readWholeFile(const std::string& path) {
    std::ostringstream text;
    if (path == "-") {
        text << std::cin.rdbuf();
        return text.str();
    }
    errno = 0;
    std::ifstream stream{path, std::ios::binary};
    if (stream) text << stream.rdbuf();
    if (!stream.is_open() || stream.bad() || errno == EISDIR) {
        throw std::runtime_error{"The file " + path + " cannot be read: " +
                                 std::generic_category().message(errno) + "."};
    }
    return text.str();
}

std::string readFirstLine(const std::string& path) {
    const auto text = readWholeFile(path);
    auto line = text.substr(0, text.find('\n'));
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return line;
}

}  // namespace epode::admin
