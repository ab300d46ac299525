/**
 * Deaths on demand, for the crash suite: the daemon kills itself right before a chosen call to a driver, so that each gap between
 * a stored intent and its side effect can be hit. Off unless the environment names a control file.
 */
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { errnoCode } from "../base/errors.ts";

/** Path of the control file; the environment variable that switches fail points on. */
export const FAIL_POINT_VARIABLE = "GANTRY_FAIL_POINT_FILE";

type Order =
	| { readonly kind: "none" }
	| { readonly kind: "record" }
	| { readonly kind: "die"; readonly atCall: number };

/**
 * Reads its orders from the control file, which it takes away:
 *
 * ```
 * record   note the name of each call from now on in <file>.calls
 * 7        die before the seventh call from now on; its name is in <file>.death
 * none     nothing
 * ```
 */
export class FailPoint {
	#order: Order = { kind: "none" };
	#calls = 0;

	constructor(private readonly controlFile: string) {}

	/** The driver, with every call of a method counted. */
	guard<T extends object>(name: string, driver: T): T {
		return new Proxy(driver, {
			get: (target, property) => {
				const value: unknown = Reflect.get(target, property, target);
				if (typeof value !== "function") return value;
				return (...args: unknown[]) => {
					this.#reach(`${name}.${String(property)}`);
					return Reflect.apply(value, target, args);
				};
			},
		});
	}

	#reach(call: string): void {
		this.#takeOrder();
		this.#calls++;
		if (this.#order.kind === "record") appendFileSync(`${this.controlFile}.calls`, `${call}\n`);
		if (this.#order.kind !== "die" || this.#calls < this.#order.atCall) return;
		writeFileSync(`${this.controlFile}.death`, call);
		process.kill(process.pid, "SIGKILL");
	}

	#takeOrder(): void {
		let text: string;
		try {
			text = readFileSync(this.controlFile, "utf8").trim();
		} catch (error) {
			if (errnoCode(error) === "ENOENT") return;
			throw error;
		}
		rmSync(this.controlFile);
		this.#calls = 0;
		if (text === "record") this.#order = { kind: "record" };
		else if (/^\d+$/.test(text)) this.#order = { kind: "die", atCall: Number(text) };
		else this.#order = { kind: "none" };
	}
}

/** Wraps a driver for the crash suite; hands it back as it is when fail points are off. */
export type DriverGuard = <T extends object>(name: string, driver: T) => T;

export function driverGuard(controlFile: string | undefined): DriverGuard {
	if (controlFile === undefined || controlFile === "") return (_name, driver) => driver;
	const failPoint = new FailPoint(controlFile);
	return (name, driver) => failPoint.guard(name, driver);
}
