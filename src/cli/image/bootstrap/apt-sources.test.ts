import { describe, expect, test } from "bun:test";
import { DEFAULT_MIRRORS, debianMirrors, parseDeb822Sources, parseSourcesList } from "./apt-sources.ts";
import { parseRelease } from "./release-file.ts";

const ONE_LINE = `
# deb cdrom:[Debian] bookworm main
deb http://mirror.example.com/debian/ bookworm main contrib # the mirror
deb-src http://mirror.example.com/debian bookworm main
deb [arch=amd64 signed-by=/x.gpg] https://packages.example.org/apt stable main
deb http://mirror.example.com/debian bookworm-updates main
deb http://security.example.com/debian-security bookworm-security main
`;

const DEB822 = `Types: deb deb-src
# the closest one
URIs: http://one.example.com/debian http://two.example.com/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://off.example.com/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://one.example.com/debian-security
Suites: bookworm-security
Components: main
`;

describe("sources of apt", () => {
	test("in lines", () => {
		expect(parseSourcesList(ONE_LINE)).toEqual([
			{ uri: "http://mirror.example.com/debian", suite: "bookworm", components: ["main", "contrib"] },
			{ uri: "https://packages.example.org/apt", suite: "stable", components: ["main"] },
			{ uri: "http://mirror.example.com/debian", suite: "bookworm-updates", components: ["main"] },
			{ uri: "http://security.example.com/debian-security", suite: "bookworm-security", components: ["main"] },
		]);
	});

	test("in stanzas", () => {
		expect(parseDeb822Sources(DEB822).map(({ uri, suite }) => `${uri} ${suite}`)).toEqual([
			"http://one.example.com/debian bookworm",
			"http://one.example.com/debian bookworm-updates",
			"http://two.example.com/debian bookworm",
			"http://two.example.com/debian bookworm-updates",
			"http://one.example.com/debian-security bookworm-security",
		]);
	});
});

describe("debianMirrors()", () => {
	test("finds Debian among everything apt asks", () => {
		expect(debianMirrors(parseSourcesList(ONE_LINE))).toEqual({
			main: "http://mirror.example.com/debian",
			security: "http://security.example.com/debian-security",
		});
		expect(debianMirrors(parseDeb822Sources(DEB822))).toEqual({
			main: "http://one.example.com/debian",
			security: "http://one.example.com/debian-security",
		});
	});

	test("says that there are no security updates, or takes the project's mirrors", () => {
		const main = { uri: "http://m.example.com/debian", suite: "trixie", components: ["main"] };
		expect(debianMirrors([main])).toEqual({ main: "http://m.example.com/debian", security: undefined });
		const ubuntu = { uri: "http://archive.ubuntu.com/ubuntu", suite: "noble", components: ["main"] };
		expect(debianMirrors([ubuntu])).toEqual(DEFAULT_MIRRORS);
		expect(debianMirrors([])).toEqual(DEFAULT_MIRRORS);
	});
});

describe("parseRelease()", () => {
	const body = `Origin: Debian
Suite: oldstable
Version: 12.15
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
SHA256:
 0123 12 main/binary-amd64/Packages
`;
	const signed = `-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

${body}-----BEGIN PGP SIGNATURE-----

iQ
-----END PGP SIGNATURE-----
`;

	test("reads what it says, signed or not", () => {
		const release = { codename: "bookworm", version: "12.15", dateS: Date.UTC(2026, 6, 11, 10, 16, 37) / 1000 };
		expect([parseRelease(body), parseRelease(signed)]).toEqual([release, release]);
	});

	test("refuses what is none", () => {
		for (const text of ["", "<html>", body.replace("bookworm", "../../etc"), body.replace("Date:", "Data:")])
			expect(() => parseRelease(text)).toThrow("this is no Release file of Debian");
	});
});
