// HTTP File Upload (XEP-0363): the table of contents.
#include "account_files.h"
#include "commands.h"
#include "service.h"

#include "core/log.h"

namespace epode::upload {

namespace {

const Log uploadLog{"plugin.upload"};

}  // namespace

Service::Service(PluginContext& context)
    : server_{context.server()},
      host_{context.host()},
      limits_{*context.server().settings(), context.host()},
      uploads_{Uploads::of(context.server())} {
    takeCare(context);
    serveWeb(context);
    const std::string& domain = context.value(domainOption);
    if (domain.empty()) return;
    if (limits_.publicUrl.empty()) {
        uploadLog.warning(
            "nobody can upload files: neither http.tls_port nor http.public_url says where",
            {{"host", host_}});
        return;
    }
    const bool wantsPictures = limits_.pictures.thumbnailSide > 0 || !limits_.stripped.empty();
    if (wantsPictures && limits_.pictures.program.empty())
        uploadLog.warning("pictures are kept as they come: the program epode-image isn't there",
                          {{"host", host_}});
    else if (limits_.pictures.thumbnailSide > 0 && !canMakeThumbnails())
        uploadLog.warning("there are no small pictures: the server was built without them",
                          {{"host", host_}});
    serveSlots(context, context.serve(domain));
    context.onAdHoc({.node = std::string{ownFilesNs}, .name = "My uploaded files"}, this,
                    &Service::ownFiles);
}

PictureWish Service::picturesOf(Purpose purpose) const {
    PictureWish wish = limits_.picturesOf(purpose);
    wish.folder = uploads_->folder() + "/incoming";
    return wish;
}

namespace {

const PluginInfo info{
    .name = "upload",
    .summary = "Files that people send each other, put and fetched over HTTP",
    .implements = {{"XEP-0363", "1.2.0"}},
    .options = uploadOptions(),
    .migrations = FileStore::migrations(),
    .commands = uploadCommands,
    .data = {accountFiles()},
};

}  // namespace

DECLARE_PLUGIN(Service, info)

}  // namespace epode::upload
