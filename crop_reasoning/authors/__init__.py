"""Those who write rationales: from boxes alone, from what was measured, and a large model as teacher; how varied it is."""
