import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { api, ask } from "../api/client";
import { shortened, visible } from "../words";
import { isGone } from "./messages";

/** A proplet by its name, with the link to its page; one that the manager has forgotten by its id. */
export function PropletLink({ id }: { id: string }): ReactNode {
  const { data, error } = useQuery({
    queryKey: ["proplet-name", id],
    queryFn: ({ signal }) => ask(api.GET("/proplets/{id}", { params: { path: { id } }, signal })),
    select: (proplet) => proplet.name,
  });
  const name = shortened(visible(data || id), 40);
  if (isGone(error)) return <span title="The manager does not know it any more">{name}</span>;
  return (
    <Link href={`/proplets/${encodeURIComponent(id)}`} title={visible(id)}>
      {name}
    </Link>
  );
}
