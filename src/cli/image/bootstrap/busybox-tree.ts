/** The files of the busybox base image. Pure. */
import { type TarEntry, writeTar } from "./entry-tar.ts";

/** 2024-01-01: fixed, so that the same busybox gives the same image. */
export const BUSYBOX_TIME_S = 1_704_067_200;

const DIRECTORIES: readonly (readonly [string, number])[] = [
	["bin", 0o755],
	["dev", 0o755],
	["etc", 0o755],
	["home", 0o755],
	["proc", 0o755],
	["root", 0o700],
	["sbin", 0o755],
	["sys", 0o755],
	["tmp", 0o1777],
	["usr", 0o755],
	["usr/bin", 0o755],
	["usr/sbin", 0o755],
	["var", 0o755],
	["var/spool", 0o755],
	["var/spool/mail", 0o755],
	["var/tmp", 0o1777],
	["var/www", 0o755],
];

const PASSWD = [
	"root:x:0:0:root:/root:/bin/sh",
	"daemon:x:1:1:daemon:/usr/sbin:/bin/false",
	"bin:x:2:2:bin:/bin:/bin/false",
	"sys:x:3:3:sys:/dev:/bin/false",
	"sync:x:4:100:sync:/bin:/bin/sync",
	"mail:x:8:8:mail:/var/spool/mail:/bin/false",
	"www-data:x:33:33:www-data:/var/www:/bin/false",
	"operator:x:37:37:operator:/var:/bin/false",
	"nobody:x:65534:65534:nobody:/home:/bin/false",
];

const GROUP = [
	"root:x:0:",
	"daemon:x:1:",
	"bin:x:2:",
	"sys:x:3:",
	"adm:x:4:",
	"tty:x:5:",
	"disk:x:6:",
	"mail:x:8:",
	"wheel:x:10:root",
	"www-data:x:33:",
	"operator:x:37:",
	"users:x:100:",
	"nogroup:x:65534:",
];

const PAGE = "<!doctype html>\n<title>Gantry</title>\n<h1>It works</h1>\n<p>This page comes from a container.</p>\n";

/** The tar of the image's only layer. */
export function busyboxTar(program: Uint8Array, applets: readonly string[]): Uint8Array {
	return writeTar(busyboxEntries(program, applets), BUSYBOX_TIME_S);
}

/** Every applet is a symbolic link in /bin to the one program there. */
export function busyboxEntries(program: Uint8Array, applets: readonly string[]): TarEntry[] {
	const lines = (rows: readonly string[]) => Buffer.from(`${rows.join("\n")}\n`);
	const file = (path: string, content: Uint8Array, mode = 0o644): TarEntry => ({ kind: "file", path, mode, content });
	const links = [...new Set(applets)]
		.filter((applet) => applet !== "busybox")
		.sort()
		.map((applet): TarEntry => ({ kind: "symlink", path: `bin/${applet}`, target: "busybox" }));
	const entries: TarEntry[] = [
		...DIRECTORIES.map(([path, mode]): TarEntry => ({ kind: "directory", path, mode })),
		file("bin/busybox", program, 0o755),
		...links,
		{ kind: "symlink", path: "usr/bin/env", target: "../../bin/busybox" },
		file("etc/passwd", lines(PASSWD)),
		file("etc/group", lines(GROUP)),
		file("etc/shadow", lines(PASSWD.map((row) => `${row.split(":")[0]}:*:19723:0:99999:7:::`)), 0o640),
		file("etc/nsswitch.conf", lines(["passwd: files", "group: files", "hosts: files dns"])),
		file("var/www/index.html", Buffer.from(PAGE)),
	];
	return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}
