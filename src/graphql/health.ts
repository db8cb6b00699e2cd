import { Ctx, Field, Float, Int, ObjectType, Query, Resolver } from "type-graphql";
import { enumOf } from "../catalogue/graphql-types.js";
import type { ApiContext } from "./context.js";

const healthStatuses = ["OK", "DEGRADED", "DOWN"] as const;
export type HealthStatus = (typeof healthStatuses)[number];

const HealthStatusEnum = enumOf("HealthStatus", healthStatuses, "How well something works.", {
  OK: "As it should.",
  DEGRADED: "It works in part, or with old data.",
  DOWN: "It does not work.",
});

export interface Health {
  readonly status: HealthStatus;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly simulated: boolean;
  readonly checks: readonly HealthCheck[];
}

export interface HealthCheck {
  readonly name: string;
  readonly status: HealthStatus;
  readonly detail: string | null;
  readonly latencyMs: number | null;
}

/** DOWN when the API cannot answer, DEGRADED when any part is not OK. */
export function overallStatus(checks: readonly HealthCheck[]): HealthStatus {
  return checks.every((check) => check.status === "OK") ? "OK" : "DEGRADED";
}

@ObjectType("HealthCheck", { description: "One part of the system and how it works." })
class HealthCheckType {
  @Field(() => String, { description: "What was checked, e.g. database or feed BINANCE_SPOT_WS." })
  name!: string;
  @Field(() => HealthStatusEnum, { description: "How well it works." })
  status!: string;
  @Field(() => String, { nullable: true, description: "What is wrong, or what was seen." })
  detail!: string | null;
  @Field(() => Float, { nullable: true, description: "How long the check took, in milliseconds." })
  latencyMs!: number | null;
}

@ObjectType("Health", { description: "How this node works." })
class HealthType {
  @Field(() => HealthStatusEnum, { description: "OK when every check is." })
  status!: string;
  @Field(() => String, { description: "Version of the program." })
  version!: string;
  @Field(() => Int, { description: "Seconds since the node was started." })
  uptimeSeconds!: number;
  @Field(() => Boolean, { description: "True when prices come from the simulated exchange: they are invented." })
  simulated!: boolean;
  @Field(() => [HealthCheckType], { description: "The parts." })
  checks!: readonly HealthCheck[];
}

@Resolver()
export class HealthResolver {
  @Query(() => HealthType, { description: "How this node works; the answer may be up to a second old." })
  health(@Ctx() { health }: ApiContext): Promise<Health> {
    return health();
  }
}
