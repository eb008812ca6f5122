#include "control/listen_options.h"

#include "core/log.h"
#include "net/certificate.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace epode {

namespace {

const Log tlsLog{"tls"};

const Option<std::vector<std::string>> addresses{
    .key = "listen.addresses",
    .fallback = {"0.0.0.0", "::"},
    .help = "The addresses of this machine on which clients are served.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::int64_t> starttlsPort{
    .key = "listen.starttls_port",
    .fallback = 5222,
    .range = {0, 65535},
    .help = "The port for clients that begin without TLS (STARTTLS); 0: none.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
    .listensOn = "listen.addresses",
};
const Option<std::int64_t> tlsPort{
    .key = "listen.tls_port",
    .fallback = 5223,
    .range = {0, 65535},
    .help = "The port for clients that begin with TLS (XEP-0368); 0: none.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
    .listensOn = "listen.addresses",
};
const Option<std::string> certificate{
    .key = "tls.certificate",
    .fallback = "",
    .help = "A PEM file with the host's certificate and its chain. Empty: certs/HOST.pem in the data "
            "folder, which is made, signed by itself, when it is missing.",
};
const Option<std::string> key{
    .key = "tls.key",
    .fallback = "",
    .help = "A PEM file with the certificate's key. Empty: the file of tls.certificate has it.",
};
const Option<std::string> authorities{
    .key = "tls.client_authorities",
    .fallback = "",
    .help = "A PEM file of authorities whose certificates clients may log in with (SASL EXTERNAL). "
            "Empty: clients are not asked for certificates.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

constexpr auto selfSignedValidity = std::chrono::hours{24 * 3650};

void writeNewFile(const std::filesystem::path& path, const std::string& text) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool written = file >= 0 && ::write(file, text.data(), text.size()) == ssize_t(text.size());
    const int error = errno;
    if (file >= 0) ::close(file);
    if (!written)
        throw std::runtime_error{path.string() + " can't be written: " +
                                 std::generic_category().message(error)};
}

TlsFiles ownFiles(const std::string& host, const std::string& dataFolder) {
    const auto folder = std::filesystem::path{dataFolder} / "certs";
    const auto pem = folder / (host + ".pem");
    if (!std::filesystem::exists(pem)) {
        std::filesystem::create_directories(folder);
        const SelfSigned made = makeSelfSigned({host}, selfSignedValidity);
        writeNewFile(pem, made.keyPem + made.certificatePem);
        tlsLog.notice("made a certificate that is signed by itself; clients will ask whether to trust it",
                      {{"host", host}, {"file", pem.string()}});
    }
    return {.hosts = {host}, .certificateFile = pem.string(), .keyFile = pem.string()};
}

}  // namespace

OptionList listenOptions() {
    return {&addresses, &starttlsPort, &tlsPort, &certificate, &key, &authorities};
}

ListenSettings::ListenSettings(const Settings& settings)
    : addresses{settings.get(::epode::addresses)},
      starttlsPort{std::uint16_t(settings.get(::epode::starttlsPort))},
      tlsPort{std::uint16_t(settings.get(::epode::tlsPort))} {}

std::vector<TlsFiles> certificateFiles(const Settings& settings, const std::vector<std::string>& hosts,
                                       const std::string& dataFolder) {
    std::vector<TlsFiles> all;
    for (const auto& host : hosts) {
        const std::string& file = settings.get(certificate, host);
        if (file.empty()) {
            all.push_back(ownFiles(host, dataFolder));
            continue;
        }
        const std::string& keyFile = settings.get(key, host);
        all.push_back({.hosts = {host}, .certificateFile = file, .keyFile = keyFile.empty() ? file : keyFile});
    }
    return all;
}

std::string clientAuthorities(const Settings& settings) { return settings.get(authorities); }

}  // namespace epode
