/** Steps that reach beyond their sandbox run only when the caller allows it. */
import { ForbiddenError } from "../../base/errors.ts";
import type { BuildPlan } from "./plan/build-plan.ts";
import type { BuildRequest } from "./request.ts";

/** @throws ForbiddenError naming the first entitlement that is missing */
export function checkEntitlements(plan: BuildPlan, { allow, network }: Pick<BuildRequest, "allow" | "network">): void {
	const need = (entitlement: string) => {
		if (allow.has(entitlement)) return;
		throw new ForbiddenError(`${entitlement} is not allowed: use --allow ${entitlement}`);
	};
	for (const { steps } of plan.stages.values())
		for (const { action } of steps) {
			if (action.kind !== "run") continue;
			if (action.network === "host" && network !== "host") need("network.host");
			if (action.insecure) need("security.insecure");
		}
}
