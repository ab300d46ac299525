/** Programs of Debian packages, installed when they are missing and can be. */

/** @throws Error that says what to install */
export async function needProgram(name: string, report: (text: string) => Promise<void> | void): Promise<void> {
	if (Bun.which(name) !== null) return;
	const advice = `${name} is not installed. On Debian and its like: apt-get install ${name}`;
	if (Bun.which("apt-get") === null || process.getuid?.() !== 0) throw new Error(advice);
	await report(`installing the package ${name}`);
	let result = await aptGet(["install", name]);
	if (result.code !== 0 && (await aptGet(["update"])).code === 0) result = await aptGet(["install", name]);
	if (Bun.which(name) === null) throw new Error(`${advice}\n${result.text.trim().split("\n").slice(-4).join("\n")}`);
}

/** `apt-get`, asking nothing; in `directory`, where `download` puts what it fetches. */
export async function aptGet(
	args: readonly string[],
	directory = "/",
): Promise<{ readonly code: number; readonly text: string }> {
	const lock = ["-o", "DPkg::Lock::Timeout=300", "-o", "APT::Sandbox::User=root"];
	const child = Bun.spawn(["apt-get", "-q", "-y", "--no-install-recommends", ...lock, ...args], {
		cwd: directory,
		stdin: "ignore",
		stdout: "pipe",
		stderr: "pipe",
		env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
	});
	const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	return { code, text: stdout + stderr };
}
