// Our name and sign in place of the client's. The client keeps elements that are defined already; its
// own footer and navigation would load pictures from elsewhere.
export function brand(page, files) {
    class Brand extends HTMLElement {
        connectedCallback() {
            if (this.firstChild) return;
            const icon = document.createElement('img');
            icon.src = files + 'icon.svg';
            icon.alt = '';
            const name = document.createElement('span');
            name.className = 'epode-brand-name';
            name.textContent = page.title;
            const where = document.createElement('span');
            where.className = 'epode-brand-domain';
            where.textContent = page.domain;
            this.append(icon, name, where);
        }
    }

    class Footer extends HTMLElement {
        connectedCallback() {
            if (this.firstChild) return;
            const line = document.createElement('p');
            const link = (text, href) => {
                const element = document.createElement('a');
                element.textContent = text;
                element.href = href;
                element.target = '_blank';
                element.rel = 'noopener noreferrer';
                return element;
            };
            line.append('Epode · ', link('Converse.js', 'https://conversejs.org'), ' · ',
                        link('MPL 2.0', files + 'converse/LICENSE.txt'));
            if (page.omemo !== undefined)
                line.append(' · libomemo.js ', link('GPL 3.0', files + 'converse/libomemo.LICENSE.txt'));
            this.append(line);
        }
    }

    customElements.define('converse-brand-logo', Brand);
    customElements.define('converse-footer', Footer);
    customElements.define('converse-controlbox-navbar', class extends HTMLElement {});
}
