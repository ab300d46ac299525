const PROXIED: readonly NodeJS.Signals[] = [
	"SIGHUP",
	"SIGINT",
	"SIGQUIT",
	"SIGUSR1",
	"SIGUSR2",
	"SIGALRM",
	"SIGTERM",
	"SIGCONT",
	"SIGTSTP",
	"SIGTTIN",
	"SIGTTOU",
	"SIGWINCH",
];

/** So many requests to end, unanswered, end the client itself. */
const FORCED_AFTER = 3;

/**
 * Sends the signals this process gets to the container instead. Returns what stops it. A container that does not care about
 * SIGINT or SIGTERM can be left by the third one: `force` is called then.
 */
export function proxySignals(kill: (signal: string) => Promise<void>, force: () => void, isTty: boolean): () => void {
	let terminations = 0;
	const handlers = new Map<NodeJS.Signals, () => void>();
	for (const signal of PROXIED) {
		// In a terminal session the size goes by resize requests.
		if (isTty && signal === "SIGWINCH") continue;
		const handler = () => {
			if (signal === "SIGINT" || signal === "SIGTERM") terminations++;
			if (terminations >= FORCED_AFTER) force();
			// The container may not run yet or any more; neither is this process's business.
			kill(signal.slice("SIG".length)).catch(() => {});
		};
		handlers.set(signal, handler);
		process.on(signal, handler);
	}
	return () => {
		for (const [signal, handler] of handlers) process.off(signal, handler);
	};
}
