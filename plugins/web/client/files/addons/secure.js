// Browsers give the functions that a login needs to pages of https and of the machine itself only.
// Without them the client would wait forever; so we say what is wrong.
export function isUsable(page) {
    if (globalThis.isSecureContext) return true;
    const splash = document.getElementById('epode-splash');
    const text = document.createElement('p');
    text.className = 'epode-notice';
    text.setAttribute('role', 'alert');
    text.textContent =
        'This address is not protected, so your browser does not allow a login here. Open the page over https, ' +
        'or as localhost on the machine itself.';
    splash.append(text);
    if (page.secure) {
        const link = document.createElement('a');
        link.className = 'btn btn-primary';
        link.href = page.secure;
        link.textContent = new URL(page.secure).host;
        splash.append(link);
    }
    return false;
}
