/** What the Debian image has and has not, beside its packages. Pure. */
import type { DebianMirrors } from "./apt-sources.ts";
import type { AddedFile } from "./layer-filter.ts";

/** dpkg's options of the slim image: no manuals, no other languages. Licences stay. */
export const SLIM_EXCLUDES = [
	"path-exclude=/usr/share/doc/*",
	"path-include=/usr/share/doc/*/copyright",
	"path-exclude=/usr/share/man/*",
	"path-exclude=/usr/share/groff/*",
	"path-exclude=/usr/share/info/*",
	"path-exclude=/usr/share/lintian/*",
	"path-exclude=/usr/share/locale/*",
] as const;

const SETTINGS = (path: string, lines: readonly string[]): AddedFile => ({
	path,
	mode: 0o644,
	content: `${lines.join("\n")}\n`,
});

/** A container is no machine: services do not start by themselves, and nothing is kept that can be fetched again. */
export const DEBIAN_FILES: readonly AddedFile[] = [
	SETTINGS("etc/apt/apt.conf.d/docker-autoremove-suggests", [
		"# What is only suggested keeps no package.",
		'Apt::AutoRemove::SuggestsImportant "false";',
	]),
	SETTINGS("etc/apt/apt.conf.d/docker-clean", [
		"# Downloaded packages are no part of a layer.",
		'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };',
		'APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };',
		'Dir::Cache::pkgcache "";',
		'Dir::Cache::srcpkgcache "";',
	]),
	SETTINGS("etc/apt/apt.conf.d/docker-gzip-indexes", [
		"# Package lists stay compressed.",
		'Acquire::GzipIndexes "true";',
	]),
	SETTINGS("etc/apt/apt.conf.d/docker-no-languages", [
		"# Translations of descriptions are for people who browse.",
		'Acquire::Languages "none";',
	]),
	SETTINGS("etc/dpkg/dpkg.cfg.d/docker-apt-speedup", [
		"# A build that is cut short starts anew: no file needs to be on the disk at once.",
		"force-unsafe-io",
	]),
	{
		path: "usr/sbin/policy-rc.d",
		mode: 0o755,
		content: "#!/bin/sh\n\n# Packages must not start services in an image.\nexit 101\n",
	},
];

const DROPPED = new Set([
	// The build machine's.
	"etc/hostname",
	"etc/resolv.conf",
	"etc/apt/sources.list",
	"etc/apt/sources.list.d/0000stdin.sources",
	"etc/apt/preferences.d/gantry",
	"etc/dpkg/dpkg.cfg.d/99mmdebstrap",
	"etc/apt/apt.conf.d/99mmdebstrap",
	// Back-ups of what is beside them.
	"var/cache/debconf/config.dat-old",
	"var/cache/debconf/templates.dat-old",
	"var/cache/ldconfig/aux-cache",
	"var/lib/dpkg/status-old",
	"var/lib/dpkg/diversions-old",
	"var/lib/dpkg/statoverride-old",
	"var/lib/systemd/random-seed",
]);

/** Devices, sources of the build, logs, locks and caches go. */
export function isKeptInDebian(path: string): boolean {
	if (DROPPED.has(path) || path.startsWith("dev/")) return false;
	if (/^etc\/apt\/sources\.list\.d\/.+/.test(path)) return false;
	if (/^var\/log\/.+\.log$/.test(path)) return false;
	return !/^var\/(?:cache\/apt|lib\/apt\/lists)\/(?:.*\/)?lock$/.test(path);
}

/** debian.sources(5) as Debian's own images have it. */
export function debianSources(codename: string, mirrors: DebianMirrors, hasUpdates: boolean, keyring: string): string {
	const stanza = (uri: string, suites: string) =>
		`Types: deb\nURIs: ${uri}\nSuites: ${suites}\nComponents: main\nSigned-By: ${keyring}\n`;
	const parts = [stanza(mirrors.main, hasUpdates ? `${codename} ${codename}-updates` : codename)];
	if (mirrors.security !== undefined && hasUpdates) parts.push(stanza(mirrors.security, `${codename}-security`));
	return parts.join("\n");
}
