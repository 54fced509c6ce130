import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The manager writes where the page lies into <base>, so all addresses are relative to it.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../src/propeller/api/page_files",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the policy of the page allows no data: but images
  },
  server: { proxy: { "^/(?!ui/|src/|node_modules/|@)": "http://localhost:7070" } },
});
