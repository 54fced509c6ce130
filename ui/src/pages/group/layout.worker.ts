import { type LayoutInput, layOut } from "./layout";

// The name space of a worker; the types of a page have none.
const scope = self as unknown as {
  onmessage: ((event: MessageEvent<{ number: number; input: LayoutInput }>) => void) | null;
  postMessage: (message: unknown, transfer: Transferable[]) => void;
};

scope.onmessage = ({ data: { number, input } }) => {
  const layout = layOut(input);
  const columns = Object.values(layout).flatMap((value) =>
    ArrayBuffer.isView(value)
      ? [value.buffer]
      : typeof value === "object"
        ? [value.start.buffer, value.items.buffer]
        : [],
  );
  scope.postMessage({ number, layout }, columns as ArrayBuffer[]);
};
