#include "cli/accounts.h"

#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/text.h"

#include <sys/stat.h>

#include <fcntl.h>
#include <toml++/toml.h>
#include <unistd.h>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace epode::cli {

namespace {

const std::vector<std::string> accountKeys{"jid",
                                           "host",
                                           "port",
                                           "tls",
                                           "trust_fingerprint",
                                           "ca_file",
                                           "password",
                                           "password_file",
                                           "password_command"};

// Collects every mistake of the file, so that one run shows them all.
class Mistakes {
public:
    void add(const toml::node& where, const std::string& what) {
        list_ += "\n         line " + std::to_string(where.source().begin.line) + ": " + what;
    }
    const std::string& list() const { return list_; }

private:
    std::string list_;
};

std::string textOf(const toml::table& table, const char* key, Mistakes& mistakes) {
    const toml::node* node = table.get(key);
    if (!node) return {};
    if (const auto value = node->value<std::string>(); value && node->is_string()) return *value;
    mistakes.add(*node, std::string{key} + " is a text in quotes.");
    return {};
}

std::optional<Tls> parseTls(std::string_view word) {
    if (word == "starttls") return Tls::StartTls;
    if (word == "direct") return Tls::Direct;
    return std::nullopt;
}

// SHA-256 in hexadecimal, with or without colons; nothing when it is none.
std::optional<std::string> parseFingerprint(std::string_view word) {
    std::string digits;
    for (const char c : word) {
        if (c == ':') continue;
        if (!std::isxdigit(static_cast<unsigned char>(c))) return std::nullopt;
        digits += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    if (digits.size() != 64) return std::nullopt;
    return digits;
}

void readFingerprints(const toml::node& node, Account& account, Mistakes& mistakes) {
    const auto take = [&](const toml::node& item) {
        const auto text = item.value<std::string>();
        const auto fingerprint = text ? parseFingerprint(*text) : std::nullopt;
        if (fingerprint) {
            account.trustedFingerprints.push_back(*fingerprint);
        } else {
            mistakes.add(item, "trust_fingerprint is a SHA-256 fingerprint of 64 digits.");
        }
    };
    if (const auto* items = node.as_array()) {
        for (const toml::node& item : *items) take(item);
    } else {
        take(node);
    }
}

Account readAccount(std::string name, const toml::table& table, Mistakes& mistakes) {
    Account account;
    account.name = std::move(name);
    for (const auto& [key, node] : table) {
        const std::string word{key.str()};
        if (std::find(accountKeys.begin(), accountKeys.end(), word) != accountKeys.end()) continue;
        const auto near = nearest(word, accountKeys);
        mistakes.add(node, "there is no key \"" + word + "\"." +
                               (near.empty() ? "" : " Did you mean " + near + "?"));
    }
    account.jid = textOf(table, "jid", mistakes);
    if (const auto* jid = table.get("jid"); !jid) {
        mistakes.add(table, "the account \"" + account.name + "\" has no jid.");
    } else if (!looksLikeAddress(account.jid) || localOf(account.jid).empty()) {
        mistakes.add(*jid, "jid is an address such as \"juliet@capulet.example\".");
    }
    account.host = textOf(table, "host", mistakes);
    account.caFile = textOf(table, "ca_file", mistakes);
    account.password = {textOf(table, "password_file", mistakes),
                        textOf(table, "password_command", mistakes),
                        textOf(table, "password", mistakes)};
    if (const auto* port = table.get("port")) {
        const auto number = port->value<std::int64_t>();
        if (!port->is_integer() || *number < 1 || *number > 65535) {
            mistakes.add(*port, "port is a number from 1 to 65535.");
        } else {
            account.port = static_cast<std::uint16_t>(*number);
        }
    }
    if (const auto* tls = table.get("tls")) {
        const auto how = parseTls(tls->value<std::string>().value_or(""));
        if (how) {
            account.tls = *how;
        } else {
            mistakes.add(*tls, "tls is \"starttls\" or \"direct\".");
        }
    }
    if (const auto* node = table.get("trust_fingerprint"))
        readFingerprints(*node, account, mistakes);
    return account;
}

// A basic string of TOML.
std::string inQuotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", c);
            out += escape;
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string toToml(const Account& account) {
    std::ostringstream out;
    out << "[accounts." << inQuotes(account.name) << "]\n";
    const auto line = [&](const char* key, const std::string& value) {
        if (!value.empty()) out << key << " = " << inQuotes(value) << '\n';
    };
    line("jid", account.jid);
    line("host", account.host);
    if (account.port) out << "port = " << account.port << '\n';
    if (account.tls != Tls::ByPort) {
        line("tls", account.tls == Tls::Direct ? "direct" : "starttls");
    }
    for (std::size_t i = 0; i < account.trustedFingerprints.size(); ++i) {
        out << (i ? ", " : "trust_fingerprint = [") << inQuotes(account.trustedFingerprints[i]);
    }
    if (!account.trustedFingerprints.empty()) out << "]\n";
    line("ca_file", account.caFile);
    line("password_file", account.password.file);
    line("password_command", account.password.command);
    line("password", account.password.text);
    return out.str();
}

// The start of line number `line` (from 1) in `text`.
std::size_t lineStart(const std::string& text, std::size_t line) {
    std::size_t at = 0;
    while (--line && at != std::string::npos) at = text.find('\n', at) + 1;
    return at;
}

std::size_t lineEnd(const std::string& text, std::size_t start) {
    const auto end = text.find('\n', start);
    return end == std::string::npos ? text.size() : end + 1;
}

}  // namespace

AccountsFile::AccountsFile(std::filesystem::path path) : path_{std::move(path)} { read(); }

std::filesystem::path AccountsFile::pathFor(const Invocation& invocation) {
    if (invocation.has("config")) return invocation.value("config");
    if (const char* home = std::getenv("XDG_CONFIG_HOME"); home && *home) {
        return std::filesystem::path{home} / "epode" / "accounts.toml";
    }
    const char* home = std::getenv("HOME");
    return std::filesystem::path{home ? home : "."} / ".config" / "epode" / "accounts.toml";
}

void AccountsFile::read() {
    accounts_.clear();
    default_.clear();
    text_.clear();
    std::ifstream file{path_};
    if (!file) {
        if (std::filesystem::exists(path_)) {
            throw usage("The accounts file " + path_.string() +
                        " cannot be read: " + std::strerror(errno) + ".");
        }
        return;
    }
    text_.assign(std::istreambuf_iterator<char>{file}, {});

    toml::table root;
    try {
        root = toml::parse(text_, path_.string());
    } catch (const toml::parse_error& error) {
        throw usage("The accounts file " + path_.string() + " has a mistake:\n         line " +
                    std::to_string(error.source().begin.line) + ": " +
                    std::string{error.description()});
    }
    Mistakes mistakes;
    default_ = textOf(root, "default", mistakes);
    for (const auto& [key, node] : root) {
        const std::string word{key.str()};
        if (word != "default" && word != "accounts") {
            mistakes.add(node, "there is no key \"" + word + "\" here, only default and accounts.");
        }
    }
    if (const auto* accounts = root.get("accounts"); accounts && !accounts->is_table()) {
        mistakes.add(*accounts, "accounts is a table: [accounts.NAME].");
    } else if (accounts) {
        for (const auto& [key, node] : *accounts->as_table()) {
            if (const auto* table = node.as_table()) {
                accounts_.push_back(readAccount(std::string{key.str()}, *table, mistakes));
            } else {
                mistakes.add(node, "an account is a table: [accounts.NAME].");
            }
        }
    }
    if (!default_.empty() && !find(default_)) {
        mistakes.add(*root.get("default"), "there is no account \"" + default_ + "\".");
    }
    if (!mistakes.list().empty()) {
        throw usage("The accounts file " + path_.string() + " has mistakes:" + mistakes.list());
    }

    struct stat info{};
    isExposed_ = stat(path_.c_str(), &info) == 0 && (info.st_mode & (S_IRGRP | S_IROTH)) != 0 &&
                 std::any_of(accounts_.begin(), accounts_.end(),
                             [](const Account& account) { return !account.password.text.empty(); });
}

const Account* AccountsFile::find(std::string_view name) const {
    for (const Account& account : accounts_) {
        if (account.name == name) return &account;
    }
    return nullptr;
}

std::string AccountsFile::defaultName() const {
    if (!default_.empty()) return default_;
    return accounts_.size() == 1 ? accounts_[0].name : std::string{};
}

void AccountsFile::add(const Account& account) {
    if (find(account.name)) {
        throw usage("There is an account \"" + account.name + "\" already.",
                    "Choose another name, or: epode account remove " + account.name);
    }
    std::string text = text_;
    if (!text.empty() && !text.ends_with('\n')) text += '\n';
    if (!text.empty()) text += '\n';
    write(text + toToml(account));
}

bool AccountsFile::remove(std::string_view name) {
    const auto root = toml::parse(text_);
    const auto* table = root["accounts"][name].as_table();
    if (!table) return false;
    const std::size_t start = lineStart(text_, table->source().begin.line);
    if (text_.find_first_not_of(" \t", start) == std::string::npos ||
        text_[text_.find_first_not_of(" \t", start)] != '[') {
        throw usage("The account \"" + std::string{name} +
                    "\" is not written as [accounts.NAME], so it is yours to remove from " +
                    path_.string() + ".");
    }
    std::size_t end = lineEnd(text_, start);
    while (end < text_.size() && text_[end] != '[') end = lineEnd(text_, end);
    std::string text = text_.substr(0, start) + text_.substr(end);
    if (default_ == name) {
        const auto line = lineStart(text_, root.get("default")->source().begin.line);
        text.erase(line, lineEnd(text_, line) - line);
    }
    write(text);
    return true;
}

void AccountsFile::makeDefault(std::string_view name) {
    std::string text = text_;
    const std::string line = "default = " + inQuotes(name) + "\n";
    if (default_.empty()) {
        text = line + "\n" + text;
    } else {
        const auto root = toml::parse(text_);
        const auto start = lineStart(text_, root.get("default")->source().begin.line);
        text.replace(start, lineEnd(text_, start) - start, line);
    }
    write(text);
}

void AccountsFile::write(const std::string& text) {
    if (path_.has_parent_path()) std::filesystem::create_directories(path_.parent_path());
    const std::string fresh = path_.string() + ".new";
    const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool isWritten =
        file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        fsync(file) == 0;
    const int error = errno;
    if (file >= 0) close(file);
    if (!isWritten || rename(fresh.c_str(), path_.c_str()) != 0) {
        throw usage("The accounts file " + path_.string() +
                    " cannot be written: " + std::strerror(isWritten ? errno : error) + ".");
    }
    read();
}

void applyOptions(Account& account, const Invocation& invocation) {
    if (invocation.has("host")) account.host = invocation.value("host");
    account.port = static_cast<std::uint16_t>(invocation.number("port", account.port, 1, 65535));
    if (invocation.has("tls")) {
        const auto how = parseTls(invocation.value("tls"));
        if (!how)
            throw usage("--tls is starttls or direct, not \"" + invocation.value("tls") + "\".");
        account.tls = *how;
    }
    for (const auto& word : invocation.values("trust-fingerprint")) {
        const auto fingerprint = parseFingerprint(word);
        if (!fingerprint) {
            throw usage("--trust-fingerprint wants the 64 digits of a SHA-256 fingerprint, not \"" +
                        word + "\".");
        }
        account.trustedFingerprints.push_back(*fingerprint);
    }
    if (invocation.has("ca-file")) account.caFile = invocation.value("ca-file");
    if (!account.caFile.empty() && access(account.caFile.c_str(), R_OK) != 0) {
        throw usage("The file of certificate authorities " + account.caFile +
                    " cannot be read: " + std::strerror(errno) + ".");
    }
    if (invocation.has("insecure")) account.certificateCheck = Account::CertificateCheck::Off;
    if (invocation.has("resource")) {
        account.jid = bareOf(account.jid) + "/" + invocation.value("resource");
    }
    if (invocation.has("password-file") && invocation.has("password-command")) {
        throw usage("--password-file and --password-command exclude each other.");
    }
    if (invocation.has("password-file"))
        account.password = {invocation.value("password-file"), {}, {}};
    if (invocation.has("password-command")) {
        account.password = {{}, invocation.value("password-command"), {}};
    }
}

Account chooseAccount(const Invocation& invocation, const Output& out) {
    Account account;
    if (invocation.has("jid")) {
        if (invocation.has("account")) throw usage("--jid and --account exclude each other.");
        account.jid = invocation.value("jid");
        if (!looksLikeAddress(account.jid) || localOf(account.jid).empty()) {
            throw usage("\"" + account.jid + "\" is no address of an account.",
                        "It looks like juliet@capulet.example.");
        }
    } else {
        const AccountsFile file{AccountsFile::pathFor(invocation)};
        const char* fromEnvironment = std::getenv("EPODE_ACCOUNT");
        std::string name = invocation.value("account");
        if (name.empty() && fromEnvironment) name = fromEnvironment;
        if (name.empty()) name = file.defaultName();
        if (name.empty()) {
            throw usage(file.accounts().empty() ? "There is no account yet."
                                                : "Which account? There are several.",
                        file.accounts().empty()
                            ? "Add one: epode account add home juliet@capulet.example\n       "
                              "or give an address: --jid juliet@capulet.example"
                            : "Choose one by --account NAME, or once for all: epode account "
                              "default NAME");
        }
        const Account* found = file.find(name);
        if (!found) {
            std::vector<std::string> names;
            for (const Account& known : file.accounts()) names.push_back(known.name);
            const auto near = nearest(name, names);
            throw usage(
                "There is no account \"" + name + "\" in " + file.path().string() + ".",
                near.empty() ? "epode account list shows them." : "Did you mean " + near + "?");
        }
        if (file.isExposed()) {
            out.warning("others can read the passwords in " + file.path().string() +
                        " (chmod 600 it)");
        }
        account = *found;
    }
    applyOptions(account, invocation);
    return account;
}

}  // namespace epode::cli
