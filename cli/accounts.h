// The accounts file (~/.config/epode/accounts.toml), and the choice of an account for a command.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace epode::cli {

class Invocation;
class Output;

enum class Tls { ByPort, StartTls, Direct };

// Where a password comes from; the first that is set counts, and with none of them we ask.
struct PasswordSource {
    std::string file;
    std::string command;
    std::string text;
};

struct Account {
    std::string name;  // empty when it was given by --jid
    std::string jid;   // may have a resource
    std::string host;  // empty: the domain's SRV records say
    std::uint16_t port = 0;
    Tls tls = Tls::ByPort;
    std::vector<std::string> trustedFingerprints;  // lower case, no colons
    std::string caFile;
    enum class CertificateCheck { On, Off } certificateCheck = CertificateCheck::On;
    PasswordSource password;
};

class AccountsFile {
public:
    // A missing file is an empty one. Throws a usage Failure that lists every mistake with its
    // line.
    explicit AccountsFile(std::filesystem::path path);

    // --config, else $XDG_CONFIG_HOME/epode/accounts.toml, else ~/.config/epode/accounts.toml.
    static std::filesystem::path pathFor(const Invocation& invocation);

    const std::filesystem::path& path() const { return path_; }
    const std::vector<Account>& accounts() const { return accounts_; }
    const Account* find(std::string_view name) const;
    // The account named as default, or the only one; empty when neither is there.
    std::string defaultName() const;
    // Whether others than the owner may read a file that holds passwords.
    bool isExposed() const { return isExposed_; }

    // Each keeps the rest of the file as it is, comments too, and replaces the file at once.
    void add(const Account& account);
    bool remove(std::string_view name);
    void makeDefault(std::string_view name);

private:
    void read();
    void write(const std::string& text);

    std::filesystem::path path_;
    std::string text_;
    std::vector<Account> accounts_;
    std::string default_;
    bool isExposed_ = false;
};

// The account this command is to use, with what the command line overrides. Warns about a file that
// others can read.
Account chooseAccount(const Invocation& invocation, const Output& out);

// Applies --host, --port, --tls and so on.
void applyOptions(Account& account, const Invocation& invocation);

// The password of the account, by its source or by asking at the terminal. Never empty.
std::string passwordOf(const Account& account);
// Asks twice, for a new password.
std::string askForNewPassword(const std::string& jid);

}  // namespace epode::cli
