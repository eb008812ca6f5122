#include "stream/component_options.h"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

namespace epode {

namespace {

const Option<std::vector<std::string>> addresses{
    .key = "component.addresses",
    .fallback = {"127.0.0.1"},
    .help =
        "The addresses of this machine on which components are waited for, while any is "
        "configured. "
        "There is no TLS on these connections: other machines should come through a tunnel.",
    .scope = Scope::Server,
};
const Option<std::int64_t> port{
    .key = "component.port",
    .fallback = 5347,
    .range = {0, 65535},
    .help = "The port for components; 0: none.",
    .scope = Scope::Server,
    .listensOn = "component.addresses",
};
const Option<Duration> handshakeTimeout{
    .key = "component.handshake_timeout",
    .fallback = std::chrono::seconds{15},
    .range = {std::chrono::seconds{1}, std::chrono::minutes{10}},
    .help =
        "How long a component may take from its connection until it has shown that it knows the "
        "secret.",
    .scope = Scope::Server,
};
const Option<Bytes> handshakeBytesMax{
    .key = "component.handshake_bytes_max",
    .fallback = 10_KiB,
    .range = {1_KiB, 1_MiB},
    .help = "The largest element that is taken from who hasn't shown that he knows the secret.",
    .scope = Scope::Server,
};
const Option<std::string> secret{
    .key = "component.secret",
    .fallback = "",
    .help =
        "What the component and the server both know: the component's own configuration has the "
        "same.",
    .scope = Scope::Component,
};
const Option<std::string> secretFile{
    .key = "component.secret_file",
    .fallback = "",
    .help = "A file with the secret, in place of secret; one line. It is read again at a reload.",
    .scope = Scope::Component,
};
const Option<std::string> name{
    .key = "component.name",
    .fallback = "",
    .help = "What people see of the component in lists of services.",
    .scope = Scope::Component,
};
const Option<bool> listed{
    .key = "component.listed",
    .fallback = true,
    .help =
        "Whether the host that the component's domain is below of lists it among its services "
        "(XEP-0030) "
        "while it is connected.",
    .scope = Scope::Component,
};
const Option<std::string> chosenBy{
    .key = "component.instance_by",
    .fallback = "sender",
    .choices = {"sender", "addressee"},
    .help =
        "With several instances connected: whether everything that one sender says comes to the "
        "same "
        "instance (gateways, which log in for people), or everything that one addressee gets "
        "(rooms, bots).",
    .scope = Scope::Component,
};
const Option<std::int64_t> instancesMax{
    .key = "component.instances_max",
    .fallback = 8,
    .range = {1, 64},
    .help =
        "How many instances of the component may be connected at once; one more is refused "
        "(conflict).",
    .scope = Scope::Component,
};
const Option<Bytes> stanzaBytesMax{
    .key = "component.stanza_bytes_max",
    .fallback = 1_MiB,
    .range = {10000_B, 16_MiB},
    .help = "The largest stanza that is taken from the component.",
    .scope = Scope::Component,
};
const Option<std::int64_t> depthMax{
    .key = "component.stanza_depth_max",
    .fallback = 64,
    .range = {16, 1000},
    .help = "How deep the elements of a stanza may be nested.",
    .scope = Scope::Component,
};
const Option<std::int64_t> nodesMax{
    .key = "component.stanza_nodes_max",
    .fallback = 40000,
    .range = {100, 1000000},
    .help = "How many elements and texts a stanza may have.",
    .scope = Scope::Component,
};
const Option<Bytes> bytesPerSecond{
    .key = "component.bytes_per_second",
    .fallback = 16_MiB,
    .range = {0_B, 1_GiB},
    .help =
        "How much an instance may send on average; what comes faster is read more slowly. 0: no "
        "limit.",
    .scope = Scope::Component,
};
const Option<Bytes> bytesBurst{
    .key = "component.bytes_burst",
    .fallback = 64_MiB,
    .range = {64_KiB, 1_GiB},
    .help = "How much an instance may send at once before bytes_per_second holds.",
    .scope = Scope::Component,
};
const Option<Bytes> outputBytesMax{
    .key = "component.output_bytes_max",
    .fallback = 8_MiB,
    .range = {64_KiB, 1_GiB},
    .help =
        "How much may wait for an instance to take it. Above this, messages and requests to it are "
        "refused "
        "(resource-constraint); above twice as much its stream ends.",
    .scope = Scope::Component,
};
const Option<std::int64_t> unconfirmedMax{
    .key = "component.unconfirmed_max",
    .fallback = 10000,
    .range = {100, 1000000},
    .help =
        "How many messages, and how many requests, are remembered of which an instance hasn't "
        "shown yet that "
        "it got them: when it is lost, their senders are told.",
    .scope = Scope::Component,
};
const Option<Duration> pingAfter{
    .key = "component.ping_after",
    .fallback = std::chrono::minutes{1},
    .range = {std::chrono::seconds{10}, std::chrono::hours{24}},
    .help = "An instance that has been silent for so long is pinged.",
    .scope = Scope::Component,
};
const Option<Duration> pingTimeout{
    .key = "component.ping_timeout",
    .fallback = std::chrono::minutes{1},
    .range = {std::chrono::seconds{5}, std::chrono::hours{1}},
    .help =
        "An instance that says nothing for so long after a ping has lost its connection, unless it "
        "is one "
        "that never answers pings.",
    .scope = Scope::Component,
};

XmlLimits xmlLimits(std::size_t bytes) {
    XmlLimits limits;
    limits.elementBytesMax = bytes;
    limits.parserBytesMax = bytes * 4 + 1_MiB;
    return limits;
}

}  // namespace

std::vector<OptionRef> componentOptions() {
    return {&addresses,      &port,           &handshakeTimeout, &handshakeBytesMax, &secret,
            &secretFile,     &name,           &listed,           &chosenBy,          &instancesMax,
            &stanzaBytesMax, &depthMax,       &nodesMax,         &bytesPerSecond,    &bytesBurst,
            &outputBytesMax, &unconfirmedMax, &pingAfter,        &pingTimeout};
}

ComponentListen::ComponentListen(const Settings& settings)
    : addresses{settings.get(::epode::addresses)},
      port{std::uint16_t(settings.get(::epode::port))} {}

HandshakeLimits::HandshakeLimits(const Settings& settings)
    : xml{xmlLimits(settings.get(handshakeBytesMax))}, timeout{settings.get(handshakeTimeout)} {}

ComponentSecret readComponentSecret(const Settings& settings, std::string_view domain) {
    const std::string& text = settings.get(::epode::secret, domain);
    const std::string& path = settings.get(secretFile, domain);
    if (!text.empty() && !path.empty())
        return {{}, "has both secret and secret_file; one of them is enough."};
    if (!text.empty()) return {text, {}};
    if (path.empty())
        return {{}, "has no secret; set secret, or secret_file to the file that has it."};
    errno = 0;
    std::ifstream file{path, std::ios::binary};
    std::ostringstream content;
    if (file) content << file.rdbuf();
    std::string read = std::move(content).str();
    // A folder opens, and fails when it is read; an empty file sets the fail bit of the text alone.
    if (!file.is_open() || file.bad() || errno == EISDIR)
        return {{},
                "has its secret in " + path +
                    ", which can't be read: " + std::generic_category().message(errno) + "."};
    while (!read.empty() && (read.back() == '\n' || read.back() == '\r')) read.pop_back();
    if (read.empty()) return {{}, "has its secret in " + path + ", which is empty."};
    if (read.find('\n') != std::string::npos)
        return {{}, "has its secret in " + path + ", which has more than one line."};
    return {std::move(read), {}};
}

ComponentSettings::ComponentSettings(const Settings& settings, std::string_view domain)
    : domain{domain},
      secret{readComponentSecret(settings, domain).text},
      name{settings.get(::epode::name, domain)},
      isListed{settings.get(listed, domain)},
      chosenBy{settings.get(::epode::chosenBy, domain) == "sender" ? ChosenBy::Sender
                                                                   : ChosenBy::Addressee},
      instancesMax{settings.get(::epode::instancesMax, domain)},
      xml{xmlLimits(settings.get(stanzaBytesMax, domain))},
      bytesPerSecond{double(settings.get(::epode::bytesPerSecond, domain))},
      bytesBurst{double(settings.get(::epode::bytesBurst, domain))},
      outputBytesMax{settings.get(::epode::outputBytesMax, domain)},
      unconfirmedMax{std::size_t(settings.get(::epode::unconfirmedMax, domain))},
      pingAfter{settings.get(::epode::pingAfter, domain)},
      pingTimeout{settings.get(::epode::pingTimeout, domain)} {
    xml.depthMax = std::size_t(settings.get(depthMax, domain));
    xml.nodesMax = std::size_t(settings.get(nodesMax, domain));
}

}  // namespace epode
