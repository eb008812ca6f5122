// Ports that two parts of the server would listen on.
#include "control/listen_check.h"

#include "control/http_face.h"
#include "control/listen_options.h"
#include "control/server_options.h"
#include "stream/component_options.h"
#include "stream/remote_options.h"
#include "tests/support/catch.h"

using namespace epode;

namespace {

const Option<std::vector<std::string>> enabled{.key = "plugins.enabled", .help = "Plugins."};
const Option<std::vector<std::string>> proxyAddresses{
    .key = "proxy65.addresses", .fallback = {"0.0.0.0", "::"}, .help = "Addresses."};
const Option<std::int64_t> proxyPort{
    .key = "proxy65.port", .fallback = 7777, .help = "A port.", .listensOn = "proxy65.addresses"};

OptionList allOptions() {
    OptionList all{&enabled, &proxyAddresses, &proxyPort};
    for (const auto& some :
         {serverOptions(), listenOptions(), componentOptions(), httpOptions(), remoteOptions()})
        all.insert(all.end(), some.begin(), some.end());
    return all;
}

ConfigResult read(const std::string& text, const ConfigOverrides& overrides = {}) {
    return readConfig(text, "epode.toml", allOptions(), overrides);
}

const std::string component = "[component.'irc.example']\nsecret = 'x'\n";

}  // namespace

TEST_CASE("two parts of the server that would listen at the same place are told, with the line") {
    struct Row {
        std::string text, mistake;
    };
    const auto [text, mistake] = GENERATE_COPY(values<Row>({
        {"[listen]\nstarttls_port = 5223\n",
         "epode.toml:2:1: listen.starttls_port is 5223, and so is listen.tls_port: both would "
         "listen at "
         "0.0.0.0 port 5223; give one of them another port (0 for none), or other addresses."},
        {"[component]\nport = 5222\n" + component,
         "epode.toml:2:1: component.port is 5222, and so is listen.starttls_port: both would "
         "listen at "
         "127.0.0.1 port 5222; give one of them another port (0 for none), or other addresses."},
        {"[listen]\ntls_port = 5347\n" + component,
         "epode.toml:2:1: listen.tls_port is 5347, and so is component.port: both would listen at "
         "127.0.0.1 port 5347; give one of them another port (0 for none), or other addresses."},
        {"[s2s]\n\n\nport = 5280\naddresses = ['127.0.0.1']\n",
         "epode.toml:4:1: s2s.port is 5280, and so is http.plain_port: both would listen at "
         "127.0.0.1 port "
         "5280; give one of them another port (0 for none), or other addresses."},
        // HTTPS is where clients are, unless it is told where.
        {"[listen]\naddresses = ['192.0.2.1']\n[http]\ntls_port = 5223\n",
         "epode.toml:4:1: http.tls_port is 5223, and so is listen.tls_port: both would listen at "
         "192.0.2.1 "
         "port 5223; give one of them another port (0 for none), or other addresses."},
        {"plugins.enabled = ['proxy65']\n[http]\nplain_port = 7777\n",
         "epode.toml:3:1: http.plain_port is 7777, and so is proxy65.port: both would listen at "
         "127.0.0.1 "
         "port 7777; give one of them another port (0 for none), or other addresses."},
        {"[host.'capulet.example']\nplugins.enabled = ['proxy65']\n[proxy65]\nport = 5222\n",
         "epode.toml:4:1: proxy65.port is 5222, and so is listen.starttls_port: both would listen "
         "at "
         "0.0.0.0 port 5222; give one of them another port (0 for none), or other addresses."},
        {"[component]\nport = 6000\naddresses = ['[::1]']\n[listen]\nstarttls_port = 6000\n" +
             component,
         "epode.toml:2:1: component.port is 6000, and so is listen.starttls_port: both would "
         "listen at "
         "[::1] port 6000; give one of them another port (0 for none), or other addresses."},
    }));
    INFO(text);
    const auto result = read(text);
    REQUIRE(result.mistakes.size() == 1);
    CHECK(result.mistakes.front().text() == mistake);
}

TEST_CASE("ports on the command line are looked at, too") {
    const auto result = read(component, {{"component.port", "5223"}});
    REQUIRE(result.mistakes.size() == 1);
    CHECK(result.mistakes.front().file == "the command line");
}

TEST_CASE("ports that never meet may be the same") {
    const auto text = GENERATE_COPY(values<std::string>({
        "",
        // No component, no listener for one.
        "[component]\nport = 5222\n",
        "[s2s]\nenabled = false\nport = 5222\n",
        "[proxy65]\nport = 5222\n",
        "[listen]\nstarttls_port = 0\ntls_port = 0\n[http]\ntls_port = 0\nplain_port = 0\n",
        "[component]\naddresses = ['127.0.0.2']\nport = 5280\n" + component,
        "[component]\naddresses = ['::1']\nport = 5222\n[listen]\naddresses = ['0.0.0.0']\n" +
            component,
        "[component]\naddresses = ['127.0.0.1']\nport = 5222\n[listen]\naddresses = ['::', "
        "'192.0.2.1']\n" +
            component,
        component,
    }));
    INFO(text);
    const auto result = read(text);
    INFO(result.report());
    CHECK(result.ok());
}
