// The smallest component with a function: numbers need no memory.
__attribute__((export_name("add"))) unsigned add(unsigned a, unsigned b) { return a + b; }
