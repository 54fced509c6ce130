// A component with typed functions.
export const greet = (name) => `Hello, ${name}!`;
export const add = (a, b) => a + b;
