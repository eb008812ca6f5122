// Where passwords come from: a file, a command, the accounts file, or the person at the terminal.
#include "cli/accounts.h"
#include "cli/failure.h"

#include <sys/wait.h>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace epode::cli {

namespace {

std::string firstLine(std::string text) {
    text.resize(std::min(text.find('\n'), text.size()));
    if (text.ends_with('\r')) text.pop_back();
    return text;
}

std::string readFile(const std::string& path) {
    std::ifstream file{path};
    std::string line;
    if (!file || !std::getline(file, line)) {
        throw usage("The password file " + path + " cannot be read, or is empty.");
    }
    return firstLine(line);
}

std::string readCommand(const std::string& command) {
    std::FILE* pipe = popen(command.c_str(), "re");
    if (!pipe) throw usage("The password command cannot be started: " + command);
    std::string text;
    char part[512];
    while (const auto count = std::fread(part, 1, sizeof part, pipe)) text.append(part, count);
    const int status = pclose(pipe);
    if (status != 0) {
        throw usage(
            "The password command failed" +
            (WIFEXITED(status) ? " with " + std::to_string(WEXITSTATUS(status)) : std::string{}) +
            ": " + command);
    }
    return firstLine(text);
}

// The terminal without echo, as long as the object lives.
class SilentTerminal {
public:
    SilentTerminal() : file_{open("/dev/tty", O_RDWR | O_CLOEXEC)} {
        if (file_ < 0) {
            throw usage("There is no terminal to ask for the password.",
                        "Give --password-file or --password-command, or put one of them into the "
                        "accounts file.");
        }
        tcgetattr(file_, &before_);
        termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(file_, TCSAFLUSH, &silent);
    }
    ~SilentTerminal() {
        tcsetattr(file_, TCSAFLUSH, &before_);
        close(file_);
    }
    SilentTerminal(const SilentTerminal&) = delete;
    SilentTerminal& operator=(const SilentTerminal&) = delete;

    std::string ask(const std::string& question) const {
        print(question);
        std::string line;
        char c = 0;
        while (read(file_, &c, 1) == 1 && c != '\n') line += c;
        print("\n");
        return line;
    }

private:
    void print(const std::string& text) const {
        if (write(file_, text.data(), text.size()) < 0) return;
    }

    int file_;
    termios before_{};
};

}  // namespace

std::string passwordOf(const Account& account) {
    std::string password;
    if (!account.password.file.empty()) {
        password = readFile(account.password.file);
    } else if (!account.password.command.empty()) {
        password = readCommand(account.password.command);
    } else if (!account.password.text.empty()) {
        password = account.password.text;
    } else {
        password = SilentTerminal{}.ask("Password of " + account.jid + ": ");
    }
    if (password.empty()) throw usage("The password of " + account.jid + " is empty.");
    return password;
}

std::string askForNewPassword(const std::string& jid) {
    const SilentTerminal terminal;
    const auto password = terminal.ask("New password of " + jid + ": ");
    if (password.empty()) throw usage("The password is empty.");
    if (terminal.ask("The same again: ") != password) throw usage("The two passwords differ.");
    return password;
}

}  // namespace epode::cli
