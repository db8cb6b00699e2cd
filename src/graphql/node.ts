import "reflect-metadata";
import { Field, ID, InterfaceType, ObjectType } from "type-graphql";
import { globalId } from "../core/ids.js";
import { MadeOf } from "./shared.js";

/** Anything of the API that can be fetched again by its id alone. The value carries `__typename` where it is returned as a Node. */
@InterfaceType("Node", {
  description: "Something that can be fetched again by its id alone.",
  resolveType: (value: { __typename: string }) => value.__typename,
})
export abstract class NodeType {
  @Field(() => ID, { description: "Opaque and globally unique." })
  id!: string;
}

@MadeOf()
@ObjectType("PageInfo", {
  simpleResolvers: true,
  description: "Where a page of a list begins and ends, after the Relay cursor specification.",
})
export class PageInfoType {
  @Field(() => Boolean, { description: "Whether there are items after this page." })
  hasNextPage!: boolean;

  @Field(() => Boolean, { description: "Whether there are items before this page." })
  hasPreviousPage!: boolean;

  @Field(() => String, {
    nullable: true,
    description: "Cursor of the first item of the page; null when the page is empty.",
  })
  startCursor!: string | null;

  @Field(() => String, {
    nullable: true,
    description: "Cursor of the last item of the page; null when the page is empty.",
  })
  endCursor!: string | null;
}

/** Finds a node by the key inside its global id; null when there is none. */
export type NodeLoader<C> = (key: string, context: C) => object | null | Promise<object | null>;

export const idField = (type: string) => (root: { id: number | string }) => globalId(type, root.id);
