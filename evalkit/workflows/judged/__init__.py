"""What judges said in a run, decided: counted, corrected, held against a margin. Asks nobody."""
